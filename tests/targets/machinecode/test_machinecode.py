"""Extensions are read from real machine code, made by the C compiler of TVM's toolchain from one instruction each."""

from __future__ import annotations

import os
import subprocess
import zipfile
from dataclasses import replace

import pytest

from dlpipe.errors import Unsupported
from dlpipe.targets.machinecode import files, isa_call
from dlpipe.targets.registry import backend, target

FOUR = "v0.4s, v1.16b, v2.16b"
CASES = {
    "x86_64-linux-gnu": ("x86-64", "vpdpbusd %zmm0, %zmm1, %zmm2; tdpbssd %tmm0, %tmm1, %tmm2", "avx512_vnni amx_int8"),
    "aarch64-linux-gnu": (
        "arm64",
        f".arch armv8.6-a+fp16; smmla {FOUR}; udot {FOUR}; fadd v0.8h, v1.8h, v2.8h; ldadd x0, x1, [x2]",
        "i8mm asimddp asimdhp atomics",
    ),
    "arm-linux-gnueabihf": (
        "armv7",
        ".fpu neon-vfpv4; .arch_extension idiv; sdiv r0, r0, r1; vfma.f32 q0, q1, q2",
        "idiva",
    ),
    "riscv64-linux-gnu": ("riscv64", ".option arch, +v; vadd.vv v1, v2, v3; vle32.v v1, (a0)", "v"),
}


@pytest.fixture(scope="module")
def compiled(toolchains, tmp_path_factory):
    """compiled(triple, assembly) -> a folder with model.so."""

    def make(triple, assembly, name="model.so"):
        folder = tmp_path_factory.mktemp("code")
        (folder / "f.c").write_text(f'int f(int a) {{ asm volatile("{assembly}"); return a * 77777777; }}\n')
        cache = str(tmp_path_factory.getbasetemp() / "zig")
        environment = {**os.environ, "ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache}
        python = toolchains.ensure("tvm").python
        command = [python, "-m", "ziglang", "cc", "-target", triple, "-nostdlib", "-shared", "-O2", "-o", name, "f.c"]
        subprocess.run(command, cwd=folder, env=environment, check=True, timeout=300)
        (folder / "f.c").unlink()
        return folder

    return make


@pytest.mark.parametrize("triple", CASES)
def test_each_extension_is_seen_and_held_against_the_target(work, compiled, triple):
    name, assembly, wanted = CASES[triple]
    artifact, each = compiled(triple, assembly), target(name)
    has_it_all = replace(each, isa=(*each.isa, *wanted.split()))
    _, value = work(isa_call(has_it_all, ["*.so"]), {"artifact": artifact})
    assert set(wanted.split()) <= set(value["isa"])
    with pytest.raises(Unsupported, match=rf"model.so would die with SIGILL on {name}.* f\+0x") as refused:
        work(isa_call(each, ["*.so"]), {"artifact": artifact})
    assert refused.value.where["op"] in wanted.split()
    plain = compiled(triple, "nop")
    assert not set(wanted.split()) & set(work(isa_call(each, ["*.so"]), {"artifact": plain})[1]["isa"])


def test_a_constant_between_instructions_is_none(work, compiled):
    """0xf2220d44 between Arm instructions would be vadd.f32 q0, q1, q2; here it is loaded."""
    artifact = compiled("arm-linux-gnueabihf", "ldr r0, =0xf2220d44\\n b 1f\\n .ltorg\\n 1:")
    assert b"\x44\x0d\x22\xf2" in (artifact / "model.so").read_bytes()
    assert "neon" not in work(isa_call(target("armv7"), ["*.so"]), {"artifact": artifact})[1]["isa"]


def test_the_shorter_encoding_of_arm(work, compiled):
    artifact = compiled(
        "thumb-linux-gnueabihf", ".fpu neon-vfpv4; .arch_extension idiv; vfma.f32 q0, q1, q2; udiv r0, r0, r1"
    )
    _, value = work(
        isa_call(replace(target("armv7"), isa=("neon", "vfpv4", "idivt")), ["*.so"]), {"artifact": artifact}
    )
    assert {"neon", "idivt"} <= set(value["isa"])


def test_an_archive_is_looked_into_and_another_processor_told(work, compiled):
    artifact = compiled("x86_64-linux-gnu", "vaddps %ymm0, %ymm1, %ymm2")
    with zipfile.ZipFile(artifact / "model.pt2", "w") as archive:
        archive.write(artifact / "model.so", "data/aotinductor/model.so")
    _, value = work(isa_call(target("x86-64-v3"), ["model.pt2"]), {"artifact": artifact})
    assert value["files"]["model.pt2:data/aotinductor/model.so"]["avx"]["count"] == 1
    with pytest.raises(Unsupported, match="code for x86_64, not for aarch64"):
        work(isa_call(target("arm64"), ["model.so"]), {"artifact": artifact})
    (artifact / "model.so").write_bytes((artifact / "model.so").read_bytes()[:200])
    with pytest.raises(Unsupported, match="damaged ELF file"):
        work(isa_call(target("x86-64"), ["model.so"]), {"artifact": artifact})


def test_backends_that_compile_to_machine_code_say_so():
    assert files(backend("tvm"), target("arm64")) == ("model.so", "runner")
    assert files(backend("tvm"), target("opencl")) == ()  # which is source
    assert files(backend("ncnn"), target("arm64")) == ()
