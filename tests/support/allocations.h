// What the heap was asked for: the largest single request and the bytes held, counted by the test program's operator new.
#pragma once

#include <cstddef>

namespace sealwire::test {

// Of the calling thread. A program that uses this links allocations.cpp, which replaces operator new.
struct Allocations {
    size_t count = 0;
    size_t largest = 0;
    size_t held = 0;             // now
    size_t most_held = 0;        // at any time
    size_t until_one_fails = 0;  // allocations, that one included; 0: none does
};

Allocations& allocations();

// Counts from here: `held` starts at 0 (memory freed that was allocated before does not count below it).
inline void watch_allocations() { allocations() = {}; }

}  // namespace sealwire::test
