/* How to call this model from C: ./run FOLDER [input-0.bin ...]

   Each input file holds the raw values of an input, in the order of run.json; without one, it is zeros. The outputs are
   written to output-0.bin, ... in the same form. Free dims are taken as 1.

   cc run.c -I$OPENVINO/include -L$OPENVINO/libs -l:@library@ -Wl,-rpath,$OPENVINO/libs -o run
   with OPENVINO=$(python -c "import openvino, os; print(os.path.dirname(openvino.__file__))"), or OpenVINO's archive. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "openvino/c/openvino.h"

static void check(ov_status_e status, const char *what) {
  if (status != OK) {
    fprintf(stderr, "%s: %s\n", what, ov_get_last_err_msg());
    exit(1);
  }
}

static ov_shape_t shape_of(const ov_output_const_port_t *port) {
  ov_partial_shape_t partial;
  ov_shape_t shape;
  check(ov_port_get_partial_shape(port, &partial), "shape");
  int64_t *dims = malloc((partial.rank.max + 1) * sizeof *dims);
  for (int64_t i = 0; i < partial.rank.max; i++)
    dims[i] = partial.dims[i].min == partial.dims[i].max ? partial.dims[i].min : 1;
  check(ov_shape_create(partial.rank.max, dims, &shape), "shape");
  ov_partial_shape_free(&partial);
  free(dims);
  return shape;
}

int main(int count, char **arguments) {
  ov_core_t *core;
  ov_compiled_model_t *compiled;
  ov_infer_request_t *request;
  size_t inputs, outputs;
  char file[4096];

  if (count < 2) {
    fprintf(stderr, "usage: %s FOLDER [input-0.bin ...]\n", arguments[0]);
    return 2;
  }
  check(ov_core_create(&core), "OpenVINO");
  snprintf(file, sizeof file, "%s/model.xml", arguments[1]);
  check(ov_core_compile_model_from_file(core, file, "@device@", 2, &compiled, "INFERENCE_PRECISION_HINT", "@precision@"), file);
  check(ov_compiled_model_create_infer_request(compiled, &request), "request");

  check(ov_compiled_model_inputs_size(compiled, &inputs), "inputs");
  for (size_t i = 0; i < inputs; i++) {
    ov_output_const_port_t *port;
    ov_element_type_e type;
    ov_tensor_t *tensor;
    size_t bytes;
    void *data;
    check(ov_compiled_model_input_by_index(compiled, i, &port), "input");
    check(ov_port_get_element_type(port, &type), "type");
    ov_shape_t shape = shape_of(port);
    check(ov_tensor_create(type, shape, &tensor), "tensor");
    check(ov_tensor_get_byte_size(tensor, &bytes), "tensor");
    check(ov_tensor_data(tensor, &data), "tensor");
    memset(data, 0, bytes);
    if ((int)i + 2 < count) {
      FILE *given = fopen(arguments[i + 2], "rb");
      if (!given || fread(data, 1, bytes, given) != bytes) {
        fprintf(stderr, "%s does not hold %zu bytes\n", arguments[i + 2], bytes);
        return 1;
      }
      fclose(given);
    }
    check(ov_infer_request_set_input_tensor_by_index(request, i, tensor), "input");
    ov_tensor_free(tensor);
    ov_shape_free(&shape);
    ov_output_const_port_free(port);
  }

  check(ov_infer_request_infer(request), "run");

  check(ov_compiled_model_outputs_size(compiled, &outputs), "outputs");
  for (size_t i = 0; i < outputs; i++) {
    ov_tensor_t *tensor;
    size_t bytes;
    void *data;
    check(ov_infer_request_get_output_tensor_by_index(request, i, &tensor), "output");
    check(ov_tensor_get_byte_size(tensor, &bytes), "output");
    check(ov_tensor_data(tensor, &data), "output");
    snprintf(file, sizeof file, "output-%zu.bin", i);
    FILE *written = fopen(file, "wb");
    if (!written || fwrite(data, 1, bytes, written) != bytes || fclose(written)) {
      perror(file);
      return 1;
    }
    printf("%s: %zu bytes\n", file, bytes);
    ov_tensor_free(tensor);
  }

  ov_infer_request_free(request);
  ov_compiled_model_free(compiled);
  ov_core_free(core);
  return 0;
}
