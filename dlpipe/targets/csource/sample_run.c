/* How to call this model: cc -O2 run.c model.c -lm && ./a.out
   On a microcontroller, call model_run with your own buffers; model.h says what they hold. */
#include <stdio.h>
#include "model.h"

MODEL_BUFFERS

int main(void) {
  size_t i;
  model_run(MODEL_ARGUMENTS);
  for (i = 0; i < sizeof MODEL_FIRST_OUTPUT / sizeof MODEL_FIRST_OUTPUT[0]; ++i)
    printf("%g\n", (double)MODEL_FIRST_OUTPUT[i]);
  return 0;
}
