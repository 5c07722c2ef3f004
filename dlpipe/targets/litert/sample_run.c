/* How to call this model from C: cc run.c libLiteRt.so -Wl,-rpath,. && ./a.out model.tflite
   libLiteRt.so is in the package ai-edge-litert 2.3; LiteRT's headers (litert/c/) declare what stands here by hand.
   Fills the inputs with zeros, and prints what each output begins with, taken as a float. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

typedef void *Handle;
int LiteRtCreateEnvironment(int count, const void *options, Handle *environment);
int LiteRtCreateModelFromFile(Handle environment, const char *file, Handle *model);
int LiteRtGetModelSignature(Handle model, size_t index, Handle *signature);
int LiteRtGetNumSignatureInputs(Handle signature, size_t *count);
int LiteRtGetNumSignatureOutputs(Handle signature, size_t *count);
int LiteRtGetSignatureInputName(Handle signature, size_t index, const char **name);
int LiteRtGetSignatureOutputName(Handle signature, size_t index, const char **name);
int LiteRtGetSignatureInputTensorByIndex(Handle signature, size_t index, Handle *tensor);
int LiteRtGetSignatureOutputTensorByIndex(Handle signature, size_t index, Handle *tensor);
int LiteRtGetRankedTensorType(Handle tensor, void *type);
int LiteRtCreateOptions(Handle *options);
int LiteRtSetOptionsHardwareAccelerators(Handle options, int accelerators);
int LiteRtCreateCompiledModel(Handle environment, Handle model, Handle options, Handle *compiled);
int LiteRtGetCompiledModelInputBufferRequirements(Handle compiled, size_t signature, size_t index, Handle *needs);
int LiteRtGetCompiledModelOutputBufferRequirements(Handle compiled, size_t signature, size_t index, Handle *needs);
int LiteRtCreateManagedTensorBufferFromRequirements(Handle environment, const void *type, Handle needs, Handle *buffer);
int LiteRtGetTensorBufferSize(Handle buffer, size_t *bytes);
int LiteRtLockTensorBuffer(Handle buffer, void **memory, int mode);
int LiteRtUnlockTensorBuffer(Handle buffer);
int LiteRtRunCompiledModel(Handle compiled, size_t signature, size_t inputs, Handle *input, size_t outputs,
                           Handle *output);

enum { MOST = 64, CPU = 1, READ = 0, WRITE = 1 };

static int check(int status, const char *what) {
  if (status != 0) printf("%s: status %d\n", what, status);
  return status;
}

int main(int count, char **given) {
  Handle environment, model, signature, options, compiled, tensor, needs, in[MOST], out[MOST];
  size_t inputs, outputs, i, bytes;
  union { /* room for LiteRtRankedTensorType, which stays LiteRT's own */
    double aligned;
    char bytes[1024];
  } type;
  const char *name;
  void *memory;
  if (check(LiteRtCreateEnvironment(0, NULL, &environment), "environment")) return 1;
  if (check(LiteRtCreateModelFromFile(environment, count > 1 ? given[1] : "model.tflite", &model), "model")) return 1;
  if (check(LiteRtCreateOptions(&options), "options")) return 1;
  if (check(LiteRtSetOptionsHardwareAccelerators(options, CPU), "processor")) return 1;
  if (check(LiteRtCreateCompiledModel(environment, model, options, &compiled), "compile")) return 1;
  if (check(LiteRtGetModelSignature(model, 0, &signature), "signature")) return 1;
  if (check(LiteRtGetNumSignatureInputs(signature, &inputs), "inputs") || inputs > MOST) return 1;
  if (check(LiteRtGetNumSignatureOutputs(signature, &outputs), "outputs") || outputs > MOST) return 1;
  for (i = 0; i < inputs + outputs; ++i) {
    const int is_input = i < inputs;
    const size_t at = is_input ? i : i - inputs;
    Handle *buffer = is_input ? &in[at] : &out[at];
    if (check(is_input ? LiteRtGetSignatureInputTensorByIndex(signature, at, &tensor)
                       : LiteRtGetSignatureOutputTensorByIndex(signature, at, &tensor), "tensor")) return 1;
    if (check(LiteRtGetRankedTensorType(tensor, &type), "type")) return 1;
    if (check(is_input ? LiteRtGetCompiledModelInputBufferRequirements(compiled, 0, at, &needs)
                       : LiteRtGetCompiledModelOutputBufferRequirements(compiled, 0, at, &needs), "needs")) return 1;
    if (check(LiteRtCreateManagedTensorBufferFromRequirements(environment, &type, needs, buffer), "buffer")) return 1;
    if (!is_input) continue;
    if (check(LiteRtGetTensorBufferSize(*buffer, &bytes), "size")) return 1;
    if (check(LiteRtLockTensorBuffer(*buffer, &memory, WRITE), "lock")) return 1;
    memset(memory, 0, bytes);
    if (check(LiteRtUnlockTensorBuffer(*buffer), "unlock")) return 1;
    if (check(LiteRtGetSignatureInputName(signature, at, &name), "name")) return 1;
    printf("input %s: %lu bytes\n", name, (unsigned long)bytes);
  }
  if (check(LiteRtRunCompiledModel(compiled, 0, inputs, in, outputs, out), "run")) return 1;
  for (i = 0; i < outputs; ++i) {
    if (check(LiteRtGetSignatureOutputName(signature, i, &name), "name")) return 1;
    if (check(LiteRtGetTensorBufferSize(out[i], &bytes), "size")) return 1;
    if (check(LiteRtLockTensorBuffer(out[i], &memory, READ), "lock")) return 1;
    printf("output %s: %lu bytes, begins with %g\n", name, (unsigned long)bytes, (double)*(float *)memory);
    if (check(LiteRtUnlockTensorBuffer(out[i]), "unlock")) return 1;
  }
  return 0;
}
