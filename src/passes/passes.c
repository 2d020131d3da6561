/* SPDX-License-Identifier: Apache-2.0 */
#include "passes/passes.h"

ptq_status passes_clean(graph *g, ptq_error *err)
{
    PTQ_TRY(pass_fold_constants(g, err));
    PTQ_TRY(pass_drop_casts(g, err));
    PTQ_TRY(pass_recognise_activations(g, err));
    PTQ_TRY(pass_recognise_decode(g, err));
    PTQ_TRY(pass_fuse_batch_norm(g, err));
    PTQ_TRY(pass_fuse_implicit(g, err));
    PTQ_TRY(pass_fuse_rep(g, err));
    return graph_prune(g, err);
}
