"""python decode_cifar10.py ARCHIVE MEAN.npy OUT.npz: x [n, 3, 32, 32] float32, red first, mean subtracted; y [n]."""

import sys
import tarfile

import cv2
import numpy as np

archive, mean, out = sys.argv[1:]
images, classes = [], []
with tarfile.open(archive) as files:
    for each in sorted(files.getmembers(), key=lambda member: member.name):
        if each.name.endswith(".jpg"):
            data = np.frombuffer(files.extractfile(each).read(), np.uint8)
            images.append(cv2.imdecode(data, cv2.IMREAD_COLOR)[:, :, ::-1].transpose(2, 0, 1))
            classes.append(each.name.split("/")[1])
names = sorted(set(classes))
x = np.stack(images).astype(np.float32) - np.load(mean)
np.savez(out, x=x, y=np.array([names.index(each) for each in classes]))
