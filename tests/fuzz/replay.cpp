// The kept inputs of a fuzz target, each once, without libFuzzer: what was ever found stays found. In TAP.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    std::vector<std::filesystem::path> inputs;
    for (const auto& entry : std::filesystem::directory_iterator(argv[1])) inputs.push_back(entry.path());
    std::sort(inputs.begin(), inputs.end());
    for (const auto& path : inputs) {
        std::ifstream file(path, std::ios::binary);
        const std::vector<uint8_t> bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
        std::printf("# %s\n", path.filename().c_str());
        std::fflush(stdout);  // says which one it was, should it end here
        LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
    }
    std::printf("%s 1 - %zu kept inputs are taken\n1..1\n", inputs.empty() ? "not ok" : "ok", inputs.size());
    return inputs.empty() ? 1 : 0;
}
