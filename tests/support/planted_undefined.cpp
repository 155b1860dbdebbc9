// Adds past the largest int: the fault that an UndefinedBehaviorSanitizer run has to report.
#include <limits>

int main(int argc, char**) {
    volatile int largest = std::numeric_limits<int>::max();
    volatile int sum = largest + argc;
    return sum == 0 ? 2 : 0;
}
