/* SPDX-License-Identifier: Apache-2.0 */
#include "base/threads.h"

#include <pthread.h>
#include <signal.h>

typedef struct call {
    threads_fn *fn;
    void *user;
    int index;
    pthread_t thread;
} call;

static void *run(void *argument)
{
    const call *c = argument;
    c->fn(c->user, c->index);
    return NULL;
}

void threads_run(int n, threads_fn *fn, void *user)
{
    call calls[THREADS_MOST];
    sigset_t all, before;
    int n_started = 1;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (; n_started < n && n_started < THREADS_MOST; n_started++) {
        call *c = &calls[n_started];
        *c = (call){.fn = fn, .user = user, .index = n_started};
        if (pthread_create(&c->thread, NULL, run, c) != 0)
            break;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    fn(user, 0);
    for (int i = 1; i < n_started; i++)
        pthread_join(calls[i].thread, NULL);
}
