/* SPDX-License-Identifier: Apache-2.0 */
#include "data/dataset_picture.h"

#include "data/memory_images.h"

ptq_status dataset_picture(const dataset *d, pthread_mutex_t *one_at_a_time,
                           const picture_target *target, unsigned char *planes, placement *place,
                           ptq_error *err)
{
    const image_item *item = &d->items[place->item];
    if (!d->source)
        return picture_load(item->path, target, planes, place, err);
    image picture;
    pthread_mutex_lock(one_at_a_time);
    ptq_status status = memory_image_get(d->source, item->index, &picture, err);
    pthread_mutex_unlock(one_at_a_time);
    return status == PTQ_OK ? picture_fit(&picture, target, planes, place, err) : status;
}
