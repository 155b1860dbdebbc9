// The threads of Workers and their queue.
#include "file/workers.h"

#include <signal.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>

namespace sealwire {

namespace {

constexpr auto kIdle = std::chrono::seconds(5);

}  // namespace

struct Workers::Shared {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::function<void()>> tasks;
    unsigned most = 0;
    unsigned threads = 0;
    unsigned idle = 0;
    bool over = false;
};

Workers::Workers(unsigned most) : shared_(std::make_shared<Shared>()) { shared_->most = most; }

Workers::~Workers() {
    const std::lock_guard lock(shared_->mutex);
    shared_->over = true;
    shared_->changed.notify_all();
}

bool Workers::run(std::function<void()> task) {
    const std::lock_guard lock(shared_->mutex);
    shared_->tasks.push_back(std::move(task));
    if (shared_->idle >= shared_->tasks.size()) {
        shared_->changed.notify_one();
        return true;
    }
    if (shared_->threads == shared_->most) return true;
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);  // the new thread inherits it
    try {
        std::thread([shared = shared_] { work(shared); }).detach();
        ++shared_->threads;
    } catch (const std::system_error&) {  // those that there are will come to it
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (shared_->threads > 0) return true;
    shared_->tasks.pop_back();
    return false;
}

void Workers::work(const std::shared_ptr<Shared>& shared) {
    std::unique_lock lock(shared->mutex);
    for (;;) {
        ++shared->idle;
        shared->changed.wait_for(lock, kIdle, [&] { return shared->over || !shared->tasks.empty(); });
        --shared->idle;
        if (shared->tasks.empty()) break;
        {
            const std::function<void()> task = std::move(shared->tasks.front());
            shared->tasks.pop_front();
            lock.unlock();
            task();
        }
        lock.lock();
    }
    --shared->threads;
}

}  // namespace sealwire
