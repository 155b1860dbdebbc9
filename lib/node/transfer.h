// Transfer: a part whose bytes the node itself moves between a peer and the disk, on threads of their own.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>

#include "file/workers.h"
#include "node/node_event.h"
#include "protocol/events.h"

namespace sealwire {

// What all transfers of a node share: threads, and how much they hold in memory.
class TransferHub {
public:
    // `on_idle` is called, on any thread, when the last transfer that has something to clean up has done so.
    explicit TransferHub(std::function<void()> on_idle) : on_idle_(std::move(on_idle)) {}

    Workers& workers() { return workers_; }
    // Something on a disk is not in its final state.
    void busy() { busy_.fetch_add(1); }
    void settled() {
        if (busy_.fetch_sub(1) == 1) on_idle_();
    }
    bool idle() const { return busy_.load() == 0; }
    // Room for reading ahead, over all transfers of the node.
    bool take_room(size_t bytes) {
        if (ahead_.fetch_add(bytes) + bytes <= kReadAhead) return true;
        ahead_.fetch_sub(bytes);
        return false;
    }
    void give_room(size_t bytes) { ahead_.fetch_sub(bytes); }

private:
    static constexpr size_t kReadAhead = 8 * 1024 * 1024;
    static constexpr unsigned kThreads = 4;

    const std::function<void()> on_idle_;
    std::atomic<uint64_t> busy_{0};
    std::atomic<size_t> ahead_{0};
    Workers workers_{kThreads};
};

// A peer's events reach it on the loop thread, with no lock held; work() runs on a worker, never twice at once. It is bound
// to its part before either can happen. Lock order: its own, then the slot's of the peer.
class Transfer : public std::enable_shared_from_this<Transfer> {
public:
    // `progress`: an event each time that so many more bytes were moved; 0: none.
    Transfer(std::shared_ptr<TransferHub> hub, uint64_t progress) : hub_(std::move(hub)), step_(progress) {}
    virtual ~Transfer() = default;
    Transfer(const Transfer&) = delete;
    Transfer& operator=(const Transfer&) = delete;

    void bind(uint64_t peer, uint64_t number, uint64_t part) { peer_ = peer, number_ = number, part_ = part; }
    bool is_of(uint64_t number, uint64_t part) const { return number_ == number && part_ == part; }
    // There may be something to do: work() runs once more. Any thread.
    void schedule();

    // ---- Loop thread ----
    // False: it wants no more, and the bytes count as taken.
    virtual bool on_data(const Event&) { return false; }
    virtual void on_whole(const Event&) {}
    virtual void on_room() {}
    // The last event of its part, which the application is told behind this: nothing more of the part is to be touched.
    virtual void on_over(NodeEvent& event) = 0;

protected:
    virtual void work() = 0;
    // There is no thread, or no memory: on any thread.
    virtual void give_up(Errc why) = 0;
    // So many bytes were moved in all, of `total`.
    void tell(uint64_t bytes, uint64_t total);

    const std::shared_ptr<TransferHub> hub_;
    uint64_t peer_ = 0;
    uint64_t number_ = 0;
    uint64_t part_ = 0;

private:
    void run();

    const uint64_t step_;
    uint64_t told_ = 0;  // work()
    std::mutex schedule_mutex_;
    bool scheduled_ = false;
    bool once_more_ = false;
};

}  // namespace sealwire
