// How to call this model from C++: inputs of the given sizes are filled with zeros, the first number of each output is
// printed. PyTorch's Python package has the headers and libraries:
//
//   P=$(python -c "import torch, pathlib; print(pathlib.Path(torch.__file__).parent)")
//   g++ -std=c++20 example.cc -o example -I$P/include -L$P/lib -Wl,-rpath,$P/lib -Wl,--no-as-needed -ltorch \\
//       -ltorch_cpu -lc10 && ./example model.pt2 1,3,224,224
#include <cstdio>
#include <sstream>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>

int main(int count, char** arguments) {
  if (count < 2) {
    std::fprintf(stderr, "usage: %s model.pt2 SIZES...\n", arguments[0]);
    return 2;
  }
  torch::inductor::AOTIModelPackageLoader model(arguments[1]);
  std::vector<at::Tensor> inputs;
  for (int place = 2; place < count; ++place) {
    std::vector<int64_t> sizes;
    std::istringstream text(arguments[place]);
    for (std::string size; std::getline(text, size, ',');) sizes.push_back(std::stoll(size));
    inputs.push_back(at::zeros(sizes));  // of float; at::zeros(sizes, at::kLong) of int64
  }
  auto outputs = model.run(inputs);
  for (size_t place = 0; place < outputs.size(); ++place) {
    auto values = outputs[place].contiguous().to(at::kDouble).view(-1);
    std::printf("output %zu: %lld numbers, %g ...\n", place, static_cast<long long>(values.numel()),
                values.numel() ? values[0].item<double>() : 0.0);
  }
  return 0;
}
