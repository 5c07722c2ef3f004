"""Worker side: which nodes a model cannot do without in float.

How to use it, for any kind of low precision (float16, int8, int4 ...):

    judge = Judge(folder_of_the_ir, samples_npz, most=64)
    groups = [Group("conv1", nodes=("conv1", "relu1"), loss=local_error), ...]
    found = smallest_keep(groups, lambda keep: judge.measure(make(keep)), Limit(sqnr_db=40))
    found.nodes    # node names that stay in float;  found.figures: what was measured with just these in float

- `make(keep)` gives an onnx_ir model of low precision whose nodes named in `keep` are left in float.
- `loss` is a cheap guess of what a group costs, by which they are tried: the rounding error of its own output, say. If
  there is none, `one_by_one(groups, measure)` measures each group alone: n evaluations in place of some log2(n).
- A `Limit` speaks of the outputs: SQNR, cosine, agreement of the largest class, KL divergence.
"""
