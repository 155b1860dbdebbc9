// The calling thread and another one write a plain variable: the fault that a ThreadSanitizer run has to report.
#include <thread>

static int shared_without_lock = 0;

int main(int, char**) {
    auto add = [] {
        for (int i = 0; i < 100'000; ++i) shared_without_lock = shared_without_lock + 1;
    };
    std::thread other(add);
    add();
    other.join();
    return shared_without_lock == 1 ? 2 : 0;
}
