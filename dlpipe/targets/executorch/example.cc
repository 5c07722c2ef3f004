// How to call this model from C++: every input is filled with zeros, the first number of each output is printed.
//
// ExecuTorch's Python package has headers, libraries and a CMake package (find_package(executorch)):
//
//   P=$(python -c "import executorch.exir as e, pathlib; print(pathlib.Path(e.__file__).parents[1])")
//   g++ -std=c++17 example.cc -o example -I$P/include -I$P/include/executorch/runtime/core/portable_type/c10 \\
//       -DC10_USING_CUSTOM_GENERATED_MACROS -DET_EVENT_TRACER_ENABLED -L$P/lib -Wl,-rpath,$P/lib -Wl,--no-as-needed \\
//       -lexecutorch -lexecutorch_kernels_optimized -lexecutorch_kernels_quantized -lexecutorch_backend_xnnpack \\
//       -lexecutorch_threadpool && ./example
#include <cstdio>
#include <vector>

#include <executorch/extension/module/module.h>
#include <executorch/extension/tensor/tensor.h>

using executorch::extension::make_tensor_ptr;
using executorch::extension::Module;
using executorch::runtime::EValue;

int main(int count, char** arguments) {
  Module module(count > 1 ? arguments[1] : "model.pte");
  auto meta = module.method_meta("forward");
  if (!meta.ok()) {
    std::fprintf(stderr, "ExecuTorch says %#x\n", static_cast<unsigned>(meta.error()));
    return 1;
  }
  std::vector<std::vector<char>> zeros;
  std::vector<executorch::extension::TensorPtr> tensors;
  std::vector<EValue> inputs;
  for (size_t index = 0; index < meta->num_inputs(); ++index) {
    auto port = meta->input_tensor_meta(index);
    std::vector<executorch::aten::SizesType> sizes(port->sizes().begin(), port->sizes().end());
    zeros.emplace_back(port->nbytes());
    tensors.push_back(make_tensor_ptr(sizes, zeros.back().data(), port->scalar_type()));
    inputs.emplace_back(tensors.back());
  }
  auto outputs = module.forward(inputs);
  if (!outputs.ok()) {
    std::fprintf(stderr, "ExecuTorch says %#x\n", static_cast<unsigned>(outputs.error()));
    return 1;
  }
  for (size_t index = 0; index < outputs->size(); ++index) {
    const auto& tensor = outputs->at(index).toTensor();
    bool floats = tensor.scalar_type() == executorch::aten::ScalarType::Float && tensor.numel() > 0;
    std::printf("output %zu: %zu bytes", index, static_cast<size_t>(tensor.nbytes()));
    std::printf(floats ? ", %g ...\n" : "\n", floats ? tensor.const_data_ptr<float>()[0] : 0.0);
  }
  return 0;
}
