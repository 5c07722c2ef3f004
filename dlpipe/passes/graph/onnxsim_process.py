"""A program: onnxsim on one file. `python onnxsim_process.py SOURCE TARGET`."""

import resource
import sys

_MEMORY = 8 << 30  # bytes of address space
OPTIONS = {
    "tensor_size_threshold": "4MB",  # constants larger than this are left to be computed
    "skipped_optimizers": ["fuse_attention", "fuse_gqa"],  # they write operators that only ONNX Runtime knows
}


def main(source: str, target: str) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    import onnx
    import onnxsim

    simplified, sound = onnxsim.simplify(onnx.load(source), **OPTIONS)
    if not sound:
        sys.exit("its own check failed")
    with open(target, "wb") as file:  # noqa: PTH123 - nothing is imported that is not needed
        file.write(simplified.SerializeToString(deterministic=True))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
