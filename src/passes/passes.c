/* SPDX-License-Identifier: Apache-2.0 */
#include "passes/passes.h"

/* Where only the batch is open, shapes are those of one image for passes that look at them;
 * what has none then is left alone. */
static void know_shapes(graph *g)
{
    if (graph_n_inputs(g) < 1)
        return;
    const tensor *input = graph_tensor_const(g, graph_input(g, 0));
    shape one = input->shape;
    if (!input->is_dynamic || one.rank != 4 || one.dim[0] >= 0)
        return;
    one.dim[0] = 1;
    if (shape_known(&one))
        (void)!graph_set_input_shape(g, &one, NULL);
}

ptq_status passes_clean(graph *g, ptq_error *err)
{
    PTQ_TRY(pass_fold_constants(g, err));
    know_shapes(g);
    PTQ_TRY(pass_drop_casts(g, err));
    PTQ_TRY(pass_recognise_activations(g, err));
    PTQ_TRY(pass_recognise_products(g, err));
    PTQ_TRY(pass_recognise_decode(g, err));
    PTQ_TRY(pass_fuse_batch_norm(g, err));
    PTQ_TRY(pass_fuse_implicit(g, err));
    PTQ_TRY(pass_fuse_rep(g, err));
    return graph_prune(g, err);
}
