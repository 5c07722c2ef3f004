// Feeds the model from inputs.bin and writes outputs.bin, under an emulator that serves Arm's semihosting calls.
#include <stddef.h>
#include <stdint.h>
#include "model.h"
#include "ports.h"

static int call(int operation, const void *arguments) {
  register int r0 __asm__("r0") = operation;
  register const void *r1 __asm__("r1") = arguments;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

static int open_file(const char *name, int mode) {
  size_t length = 0;
  while (name[length]) ++length;
  const uintptr_t arguments[] = {(uintptr_t)name, (uintptr_t)mode, length};
  return call(1, arguments);
}

// Whole or not at all; 0: the file ended.
static int moved(int operation, int file, void *data, size_t bytes) {
  const uintptr_t arguments[] = {(uintptr_t)file, (uintptr_t)data, bytes};
  return call(operation, arguments) == 0;
}

void _start(void) {
  const int inputs = open_file("inputs.bin", 1), outputs = open_file("outputs.bin", 5);
  uintptr_t status[] = {0x20026, 1};
  if (inputs >= 0 && outputs >= 0) {
    status[1] = 0;
    while (READ_ALL(inputs)) {
      RUN();
      if (!(WRITE_ALL(outputs))) {
        status[1] = 2;
        break;
      }
    }
    const uintptr_t file = (uintptr_t)outputs;
    call(2, &file);
  }
  call(0x20, status);
  for (;;) {
  }
}
