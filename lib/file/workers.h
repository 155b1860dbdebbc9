// Workers: a few threads for what may block, so that neither a loop nor the end of a node waits for a disk.
#pragma once

#include <functional>
#include <memory>

namespace sealwire {

// Threads start when they are needed and end when they were idle for a while, or once it is destroyed and nothing waits any
// more. Nobody joins them: one that hangs on a disk keeps what its task needs, and nothing else.
class Workers {
public:
    explicit Workers(unsigned most);
    ~Workers();
    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;

    // Runs `task` on one of the threads, after those that wait. Tasks throw nothing. False, and the task not taken, when
    // there is no thread at all and none can be started. Any thread.
    [[nodiscard]] bool run(std::function<void()> task);

private:
    struct Shared;
    static void work(const std::shared_ptr<Shared>& shared);
    std::shared_ptr<Shared> shared_;
};

}  // namespace sealwire
