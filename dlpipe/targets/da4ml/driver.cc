// Feeds a circuit, one vector on every clock, and collects what comes out LATENCY edges later.
// driver INPUTS OUTPUTS COUNT: files of COUNT vectors, each IN_WORDS (OUT_WORDS) words of 32 bits, lowest bits first.
#include "Vnetwork.h"
#include "verilated.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

static std::vector<uint32_t> read(const char *path, size_t words) {
    std::vector<uint32_t> data(words);
    std::FILE *file = std::fopen(path, "rb");
    if (!file || std::fread(data.data(), 4, words, file) != words) {
        std::fprintf(stderr, "%s: not %zu words\n", path, words);
        std::exit(2);
    }
    std::fclose(file);
    return data;
}

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    const size_t count = std::strtoull(argv[3], nullptr, 10);
    const std::vector<uint32_t> inputs = read(argv[1], count * IN_WORDS);
    std::vector<uint32_t> outputs(count * OUT_WORDS);
    VerilatedContext context;
    Vnetwork network(&context);
    static_assert(sizeof(network.model_inp) <= IN_WORDS * 4 && sizeof(network.model_out) <= OUT_WORDS * 4, "widths");
    for (size_t edge = 0; edge < count + LATENCY; ++edge) {
        if (edge < count) std::memcpy(&network.model_inp, &inputs[edge * IN_WORDS], sizeof(network.model_inp));
        network.clk = 0;
        network.eval();
        network.clk = 1;
        network.eval();
        if (edge >= LATENCY)
            std::memcpy(&outputs[(edge - LATENCY) * OUT_WORDS], &network.model_out, sizeof(network.model_out));
    }
    network.final();
    std::FILE *file = std::fopen(argv[2], "wb");
    if (!file || std::fwrite(outputs.data(), 4, outputs.size(), file) != outputs.size() || std::fclose(file)) return 3;
    return 0;
}
