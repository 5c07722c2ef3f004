// How this model is called on a Cortex-M with an Ethos-U: LiteRT for Microcontrollers (built with the ethos_u kernels
// and CMSIS-NN) runs it, and hands the NPU's part to Arm's driver. Assemble it beside model.tflite.
//
// run.json has for each input and output the `order` of its axes in the file, and `scale` and `zero` of its int8
// levels: level = round(value / scale) + zero.
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"

__asm__(".section .rodata\n.balign 16\n.global model_data\nmodel_data:\n.incbin \"model.tflite\"\n.previous\n");
extern "C" const unsigned char model_data[];

alignas(16) static unsigned char arena[512 * 1024];  // at least Vela's sram_used, and some for the interpreter

int run(const signed char* input, signed char* output) {
  tflite::MicroMutableOpResolver<8> operators;
  operators.AddEthosU();
  operators.AddQuantize();  // and what run.json says is left to the processor
  operators.AddDequantize();
  operators.AddReshape();
  operators.AddTranspose();
  operators.AddSoftmax();
  operators.AddFullyConnected();
  operators.AddPad();
  tflite::MicroInterpreter interpreter(tflite::GetModel(model_data), operators, arena, sizeof(arena));
  if (interpreter.AllocateTensors() != kTfLiteOk) return 1;
  TfLiteTensor* in = interpreter.input(0);
  for (size_t i = 0; i < in->bytes; ++i) in->data.int8[i] = input[i];
  if (interpreter.Invoke() != kTfLiteOk) return 2;
  const TfLiteTensor* out = interpreter.output(0);
  for (size_t i = 0; i < out->bytes; ++i) output[i] = out->data.int8[i];
  return 0;
}
