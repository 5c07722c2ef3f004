// Runs a compiled model.so on every sample of a folder, without Python.
//
//     runner MODEL.so INPUTS OUTPUTS
//
// INPUTS holds 0.npy, 1.npy ...: one file per input of the model, in its order, of shape [N, *shape of the input]:
// N samples. OUTPUTS is an existing folder; 0.npy, 1.npy ... are written there, of shape [N, *shape of the output].
// Progress goes to standard output ("k/N"), the last line of standard error says what went wrong.
//
// Only the C interface of tvm-ffi is used: this program and TVM's libraries may be built against different C++ libraries.

#include <dlpack/dlpack.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tvm/ffi/c_api.h>

#include "npy.h"

namespace {

constexpr int kMaxPorts = 64;
constexpr size_t kAlignment = 64;    // what TVM's kernels assume of their arguments
constexpr int64_t kPooledAllocator = 2;  // of TVM's virtual machine

[[noreturn]] void fail(const char* what, const char* why) {
  fflush(stdout);
  fprintf(stderr, "%s: %s\n", what, why);
  exit(1);
}

// Every call into TVM goes through here; an error ends the program with TVM's own message.
void check(int status, const char* what) {
  if (status == 0) return;
  TVMFFIObjectHandle error = nullptr;
  TVMFFIErrorMoveFromRaised(&error);
  if (error == nullptr) fail(what, "failed without a message");
  auto* cell = reinterpret_cast<TVMFFIErrorCell*>(static_cast<char*>(error) + sizeof(TVMFFIObject));
  char message[2048];
  size_t used = cell->message.size < sizeof message - 1 ? cell->message.size : sizeof message - 1;
  for (size_t i = 0; i < used; ++i) message[i] = cell->message.data[i] == '\n' ? ' ' : cell->message.data[i];
  message[used] = '\0';
  fail(what, message);
}

TVMFFIAny none() {
  TVMFFIAny value;
  memset(&value, 0, sizeof value);
  return value;
}

TVMFFIAny integer(int64_t number) {
  TVMFFIAny value = none();
  value.type_index = kTVMFFIInt;
  value.v_int64 = number;
  return value;
}

TVMFFIAny text(const char* chars) {
  TVMFFIAny value = none();
  value.type_index = kTVMFFIRawStr;
  value.v_c_str = chars;
  return value;
}

TVMFFIAny boolean(bool truth) {
  TVMFFIAny value = integer(truth ? 1 : 0);
  value.type_index = kTVMFFIBool;
  return value;
}

void release(const TVMFFIAny& value) {
  if (value.type_index >= kTVMFFIStaticObjectBegin) TVMFFIObjectDecRef(value.v_obj);
}

TVMFFIAny call(TVMFFIObjectHandle function, TVMFFIAny* arguments, int count, const char* what) {
  TVMFFIAny result = none();
  check(TVMFFIFunctionCall(function, arguments, count, &result), what);
  return result;
}

TVMFFIObjectHandle global_function(const char* name) {
  TVMFFIByteArray key = {name, strlen(name)};
  TVMFFIObjectHandle function = nullptr;
  check(TVMFFIFunctionGetGlobal(&key, &function), name);
  if (function == nullptr) fail(name, "TVM's runtime does not have this function");
  return function;
}

TVMFFIObjectHandle member(const TVMFFIAny& module, const char* name) {
  TVMFFIAny arguments[] = {module, text(name), boolean(true)};
  TVMFFIAny function = call(global_function("ffi.ModuleGetFunction"), arguments, 3, name);
  if (function.type_index != kTVMFFIFunction) fail(name, "the module does not have this function");
  return function.v_obj;
}

struct Input {
  NpyFile npy;
  DLManagedTensor managed;
  TVMFFIAny tensor;
};

// One tensor that holds a sample at a time. TVM is given our memory, which lives as long as the program.
void prepare(Input* input, const char* path) {
  if (const char* wrong = npy_open(path, &input->npy)) fail(path, wrong);
  size_t room = (static_cast<size_t>(input->npy.sample_bytes) / kAlignment + 1) * kAlignment;
  void* data = aligned_alloc(kAlignment, room);
  if (data == nullptr) fail(path, "not enough memory");
  memset(&input->managed, 0, sizeof input->managed);
  DLTensor& tensor = input->managed.dl_tensor;
  tensor.data = data;
  tensor.device = {kDLCPU, 0};
  tensor.ndim = input->npy.rank;
  tensor.dtype = input->npy.dtype;
  tensor.shape = input->npy.shape;
  TVMFFIObjectHandle handle = nullptr;
  check(TVMFFITensorFromDLPack(&input->managed, kAlignment, 1, &handle), path);
  input->tensor = none();
  input->tensor.type_index = kTVMFFITensor;
  input->tensor.v_obj = static_cast<TVMFFIObject*>(handle);
}

void write_sample(const char* folder, int port, const TVMFFIAny& value, int64_t sample, int64_t count, NpyFile* file) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%d.npy", folder, port);
  if (value.type_index != kTVMFFITensor) fail(path, "this output is not a tensor");
  auto* tensor = reinterpret_cast<DLTensor*>(reinterpret_cast<char*>(value.v_obj) + sizeof(TVMFFIObject));
  if (sample == 0) {
    if (const char* wrong = npy_create(path, tensor, count, file)) fail(path, wrong);
  }
  bool same_shape = tensor->ndim == file->rank &&
                    memcmp(tensor->shape, file->shape, sizeof(int64_t) * static_cast<size_t>(file->rank)) == 0;
  if (!same_shape) fail(path, "the output's shape differs from that of the first sample");
  const char* data = static_cast<const char*>(tensor->data) + tensor->byte_offset;
  if (fwrite(data, 1, file->sample_bytes, file->file) != file->sample_bytes) fail(path, "cannot be written");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) fail("usage", "runner MODEL.so INPUTS OUTPUTS");
  static Input inputs[kMaxPorts];
  static NpyFile outputs[kMaxPorts];

  char model[4096];  // without a slash in it, the loader would search its own folders instead
  snprintf(model, sizeof model, "%s%s", strchr(argv[1], '/') == nullptr ? "./" : "", argv[1]);
  TVMFFIAny path = text(model);
  TVMFFIAny library = call(global_function("ffi.ModuleLoadFromFile"), &path, 1, argv[1]);
  TVMFFIAny machine = call(member(library, "vm_load_executable"), nullptr, 0, "vm_load_executable");
  TVMFFIAny device[] = {integer(kDLCPU), integer(0), integer(kPooledAllocator)};
  call(member(machine, "vm_initialization"), device, 3, "vm_initialization");
  TVMFFIObjectHandle run = member(machine, "main");

  TVMFFIAny arguments[kMaxPorts];
  int arity = 0;
  for (; arity < kMaxPorts; ++arity) {
    char name[4096];
    snprintf(name, sizeof name, "%s/%d.npy", argv[2], arity);
    FILE* probe = fopen(name, "rb");
    if (probe == nullptr) break;
    fclose(probe);
    prepare(&inputs[arity], name);
    arguments[arity] = inputs[arity].tensor;
    if (inputs[arity].npy.count != inputs[0].npy.count) fail(name, "the inputs differ in their number of samples");
  }
  if (arity == 0) fail(argv[2], "holds no 0.npy");

  int64_t count = inputs[0].npy.count;
  int written = 0;
  for (int64_t sample = 0; sample < count; ++sample) {
    for (int i = 0; i < arity; ++i) {
      NpyFile& npy = inputs[i].npy;
      if (fread(inputs[i].managed.dl_tensor.data, 1, npy.sample_bytes, npy.file) != npy.sample_bytes) {
        fail(argv[2], "an input file is truncated");
      }
    }
    TVMFFIAny result = call(run, arguments, arity, "main");
    if (result.type_index == kTVMFFIArray) {
      auto* cells = reinterpret_cast<TVMFFISeqCell*>(reinterpret_cast<char*>(result.v_obj) + sizeof(TVMFFIObject));
      if (cells->size > kMaxPorts) fail("main", "too many outputs");
      written = static_cast<int>(cells->size);
      auto* items = static_cast<TVMFFIAny*>(cells->data);
      for (int i = 0; i < written; ++i) write_sample(argv[3], i, items[i], sample, count, &outputs[i]);
    } else {
      written = 1;
      write_sample(argv[3], 0, result, sample, count, &outputs[0]);
    }
    release(result);
    printf("%lld/%lld\n", static_cast<long long>(sample + 1), static_cast<long long>(count));
    fflush(stdout);
  }
  for (int i = 0; i < written; ++i) {
    if (fclose(outputs[i].file) != 0) fail(argv[3], "cannot be written");
  }
  return 0;
}
