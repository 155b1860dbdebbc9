// Reads one byte behind a block of the heap: the fault that an AddressSanitizer run has to report.
#include <memory>

int main(int argc, char**) {
    const auto block = std::make_unique<volatile char[]>(8);
    return block[static_cast<size_t>(argc) + 7];
}
