// A bug that a working fuzzer finds at once: each right byte leads to a new branch, the fifth to the end.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size > 4 && data[0] == 'w' && data[1] == 'i' && data[2] == 'r' && data[3] == 'e' && data[4] == '!') {
        std::fputs("planted bug reached\n", stderr);
        std::abort();
    }
    return 0;
}
