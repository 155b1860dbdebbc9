// A pipe whose bytes the application carries over whatever it has: it gives what came and takes what is to be sent.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/byte_queue.h"
#include "io/loop.h"
#include "transport/pipe.h"

namespace sealwire {

class CustomPipe;

// Who tells the application. Loop thread; the first two never from inside a call to the pipe or to its end.
class CustomPipeOwner {
public:
    // Bytes wait to be taken, or our direction has ended behind those that were. Once until all was taken.
    virtual void on_pipe_output() = 0;
    // After a give that was refused there is room again. Once for each time.
    virtual void on_pipe_room() = 0;
    // The pipe was closed or destroyed, from within that call: the last of the three, exactly once. `rest` is what was written
    // to it and not taken.
    virtual void on_pipe_gone(std::vector<uint8_t> rest) = 0;

protected:
    ~CustomPipeOwner() = default;
};

// The application's side. It may be used before the pipe is there and after it has gone. Any thread.
class CustomEnd : public std::enable_shared_from_this<CustomEnd> {
public:
    // How many bytes wait in each direction before the one who brings them has to.
    explicit CustomEnd(size_t buffer_bytes) : limit_(buffer_bytes) {}

    // What came from the other end, as a whole: again while as much as the buffer waits to be read, and on_pipe_room follows.
    // state behind the end or a failure, closed when the pipe has gone.
    Errc give(Bytes bytes);
    // What is to be sent, as far as it is there: `size` 0 when nothing is. closed when all was taken and no more comes.
    Errc take(MutableBytes into, size_t& size);
    // The other end sends no more. Again: state.
    Errc end();
    // It is broken: nothing more comes and nothing can be sent.
    Errc fail(std::string_view why);
    Errc fail(Error why);
    // The pipe has gone, so that take and give say closed; and whether its own direction had been ended.
    bool gone() const;
    bool shut_down() const;

private:
    friend class CustomPipe;
    void attach(CustomPipe* pipe, Loop& loop);
    std::vector<uint8_t> detach();
    void schedule();
    void run();

    const size_t limit_;
    mutable std::mutex mutex_;  // guards all below
    CustomPipe* pipe_ = nullptr;
    Loop* loop_ = nullptr;
    bool posted_ = false;
    bool gone_ = false;
    // From the other end.
    ByteQueue incoming_;
    bool refused_ = false;  // a give, since there was room
    bool ended_ = false;
    std::optional<Error> failed_;
    // To the other end.
    ByteQueue outgoing_;
    bool output_due_ = false;
    bool output_told_ = false;
    bool backed_up_ = false;
    bool writable_due_ = false;
    bool shut_down_ = false;
    bool end_taken_ = false;  // take has said closed
};

struct CustomAddresses {
    std::string remote;  // as URLs, or whatever says to people where it leads
    std::string local;
};

// Loop thread. Both outlive the pipe: the end is shared, the owner has to.
std::unique_ptr<Pipe> make_custom_pipe(Loop& loop, std::shared_ptr<CustomEnd> end, CustomAddresses addresses,
                                       CustomPipeOwner& owner);

}  // namespace sealwire
