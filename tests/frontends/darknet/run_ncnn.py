"""python run_ncnn.py NET INPUT IMAGE.npy OUT.npz BLOB... : NET.param and NET.bin, run by ncnn in its toolchain."""

import sys

import ncnn
import numpy as np

path, name, image, out, *blobs = sys.argv[1:]
net = ncnn.Net()
net.opt.use_fp16_arithmetic = net.opt.use_fp16_storage = net.opt.use_fp16_packed = False
assert net.load_param(path + ".param") == 0
assert net.load_model(path + ".bin") == 0
extractor = net.create_extractor()
given = np.load(image)  # ncnn looks at this very memory
extractor.input(name, ncnn.Mat(given))
np.savez(out, **{blob: np.array(extractor.extract(blob)[1]) for blob in blobs})
