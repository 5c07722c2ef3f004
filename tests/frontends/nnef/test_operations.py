"""Every operation of the standard that Khronos' runtime executes, against it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

RANDOM = np.random.default_rng(7)
W = RANDOM.normal(0, 1, [6, 4, 3, 3]).astype(np.float32)
DEPTHWISE = RANDOM.normal(0, 1, [4, 1, 3, 3]).astype(np.float32)
POINT = RANDOM.normal(0, 1, [5, 4, 1, 1]).astype(np.float32)
BACK = RANDOM.normal(0, 1, [4, 6, 3, 3]).astype(np.float32)
GROUPED = RANDOM.normal(0, 1, [6, 2, 3, 3]).astype(np.float32)
C = RANDOM.uniform(0.5, 1.5, [1, 4]).astype(np.float32)
B6 = RANDOM.normal(0, 1, [1, 6]).astype(np.float32)
TENSORS = {"w": W, "dw": DEPTHWISE, "pw": POINT, "back": BACK, "gw": GROUPED, "c": C, "b6": B6, "m": W[0, 0, :, :1]}
DECLARED = "".join(
    f"{name} = variable<scalar>(shape = {list(array.shape)}, label = '{name}');\n" for name, array in TENSORS.items()
)

UNARY = """
exp(x) sin(x) cos(x) tan(x) sinh(x) cosh(x) tanh(x) atan(x) asinh(x) abs(x) sign(x) neg(x) copy(x) floor(x)
ceil(x) round(x*4.0) sqr(x) relu(x) sigmoid(x) softplus(x) elu(x,alpha=0.7) selu(x) gelu(x) silu(x)
leaky_relu(x,alpha=0.1) softabs(x,epsilon=0.1) log(p) log2(p) sqrt(p) rsqrt(p) rsqr(p) rcp(p) asin(u) acos(u)
atanh(u) acosh(p+1.0) clamp(x,-0.5,0.5) prelu(x,c)
"""
PAIRS = """
x+y x-y x*y x/p p^y min(x,y) max(x,y) x+c c-x x*2.0 2.0/p select(x<y,x,y) select(x<=c,x,0.0)
select(or(x>y,x<0.0),1.0,y) select(and(not(x>=y),x!=0.0),x,y) select(x==y,1.0,x) add_n([x,y,x])
"""
SHAPING = """
reshape(x,shape=[0,-1]) reshape(x,shape=[-1],axis_start=2) reshape(x,shape=[2,3],axis_start=2,axis_count=1)
transpose(x,axes=[0,2,3,1]) transpose(x,axes=[1,0]) concat([x,y],axis=1) stack([x,y],axis=2)
slice(x,axes=[2,3],begin=[1,-3],end=[0,-1]) slice(x,axes=[1],begin=[0],end=[4],stride=[2]) squeeze(x,axes=[0])
unsqueeze(x,axes=[0,3]) tile(x,repeats=[1,2,1,3]) pad(x,padding=[(0,0),(0,0),(1,2),(0,3)])
pad(x,padding=[(0,0),(0,0),(1,2),(0,3)],border='replicate')
pad(x,padding=[(0,0),(0,0),(1,2),(0,3)],border='reflect')
pad(x,padding=[(0,0),(1,0),(1,2),(0,3)],border='reflect-even')
pad(x,padding=[(0,0),(0,0),(1,2),(0,3)],value=1.5)
"""
REDUCING = """
sum_reduce(x,axes=[2,3]) sum_reduce(x,axes=[1],normalize=true) mean_reduce(x,axes=[2,3])
max_reduce(x,axes=[1]) min_reduce(x,axes=[0,2]) softmax(x) softmax(x,axes=[3]) softmax(x,axes=[2,3])
select(any_reduce(x>0.0,axes=[2]),x,y) select(all_reduce(x>-1.0,axes=[2,3]),x,y)
l1_normalization(x,axes=[1],bias=0.1) l2_normalization(x,axes=[1,2],epsilon=0.1) matmul(x,y,transposeB=true)
matmul(x,y,transposeA=true) local_response_normalization(x,size=[1,3,1,1],alpha=0.5,beta=0.75,bias=2.0)
local_response_normalization(x,size=[1,2,3,3]) local_mean_normalization(x,size=[1,1,3,3])
local_variance_normalization(x,size=[1,1,3,3],bias=0.1)
local_contrast_normalization(x,size=[1,1,3,3],epsilon=0.2) linear_quantize(x,min=-1.0,max=2.0,bits=8)
min_max_linear_quantize(x,min=-1.0,max=1.0,bits=4,signed=true,symmetric=true)
logarithmic_quantize(x,max=4.0,bits=4)
"""
WINDOWS = """
conv(x,w) conv(x,w,b6,padding=[(1,1),(0,2)]) conv(x,w,stride=[2,2]) conv(x,w,0.5,dilation=[2,1])
conv(x,dw,groups=0) conv(x,gw,groups=2,padding=[(0,0),(0,0)],stride=[2,1]) conv(x,pw,padding=[])
separable_conv(x,dw,pw) separable_conv(x,dw,pw,stride=[2,2],padding=[(1,1),(1,1)]) deconv(x,back)
deconv(x,back,b6,stride=[2,2]) deconv(x,back,padding=[(1,1),(0,1)],stride=[2,2])
deconv(x,dw,groups=0,padding=[(1,0),(1,0)],stride=[2,2])
deconv(x,back,stride=[2,2],padding=[(1,1),(1,1)],output_shape=[1,6,12,14]) max_pool(x,size=[1,1,3,3])
max_pool(x,size=[1,1,3,2],border='ignore',stride=[1,1,2,2])
max_pool(x,size=[1,1,2,2],padding=[(0,0),(0,0),(1,1),(0,1)],stride=[1,1,2,2],border='ignore')
max_pool(x,size=[1,2,2,1],padding=[(0,0),(0,0),(0,0),(0,0)])
max_pool(x,size=[1,1,2,2],dilation=[1,1,2,2],border='ignore') avg_pool(x,size=[1,1,3,3])
avg_pool(x,size=[1,1,3,3],border='ignore',stride=[1,1,2,2])
avg_pool(x,size=[1,1,2,2],padding=[(0,0),(0,0),(1,1),(0,1)],border='ignore') avg_pool(x,size=[1,4,1,1])
avg_pool(x,size=[1,1,2,2],dilation=[1,1,2,2]) rms_pool(x,size=[1,1,3,3]) box(x,size=[1,1,2,3])
box(x,size=[1,3,2,1],border='ignore',normalize=true)
debox(x,size=[1,1,2,3],stride=[1,1,2,3],padding=[(0,0),(0,0),(0,0),(0,0)]) debox(x,size=[1,1,3,3])
debox(x,size=[1,2,3,3],stride=[1,2,2,2]) nearest_upsample(x,factor=[2,3]) nearest_downsample(x,factor=[2,7])
area_downsample(x,factor=[3,7]) multilinear_upsample(x,factor=[2,2])
multilinear_upsample(x,factor=[2,2],method='asymmetric')
multilinear_upsample(x,factor=[2,2],border='constant')
multilinear_upsample(x,factor=[2,2],method='asymmetric',border='constant')
"""
GROUPS = {"unary": UNARY, "pairs": PAIRS, "shaping": SHAPING, "reducing": REDUCING, "windows": WINDOWS}


@pytest.mark.parametrize("group", GROUPS)
def test_operations(nnef: Any, group: str) -> None:
    """One network of all, each an output."""
    calls = GROUPS[group].split()
    lines = [f"o{index} = {call};" for index, call in enumerate(calls)]
    if group == "shaping":
        calls += ["unstack", "split", "moments"]
        count = len(lines)
        lines.append(
            f"[a, b, o{count}, d] = unstack(x, axis = 1); [e, o{count + 1}] = split(x, axis = 1, ratios = [1, 3]);"
        )
        lines.append(f"f, o{count + 2} = moments(x, axes = [2, 3]);")
    head = ", ".join(f"o{index}" for index in range(len(calls)))
    inputs = "".join(f"{name} = external<scalar>(shape = [1, 4, 6, 7]);\n" for name in "xy")
    text = (
        f"graph g(x, y) -> ({head})\n{{\n{inputs}{DECLARED}p = x * x + 0.1; u = tanh(x);\n" + "\n".join(lines) + "}\n"
    )
    text = "extension KHR_enable_fragment_definitions, KHR_enable_operator_expressions;\n" + text
    ran = nnef.run(nnef.source(text, TENSORS))
    for index, call in enumerate(calls):
        wanted, found = ran.reference[f"o{index}"], ran.outputs[f"o{index}"]
        assert found.shape == wanted.shape, (call, found.shape, wanted.shape)
        span = float(np.ptp(wanted)) or 1.0
        assert float(np.abs(found - wanted).max()) <= 1e-5 * span, call
