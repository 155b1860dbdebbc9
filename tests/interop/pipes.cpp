// A session over standard input and output: `pipes serve` accepts there, `pipes ask` dials; see pipes_test.py.
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <future>
#include <string>
#include <thread>

#include "sealwire/sealwire.hpp"

namespace {

// Whether a thread that waits may look again.
class Signal {
public:
    void give() {
        const std::lock_guard<std::mutex> lock(mutex_);
        given_ = true;
        changed_.notify_one();
    }
    void wait() {
        std::unique_lock<std::mutex> lock(mutex_);
        changed_.wait(lock, [this] { return given_; });
        given_ = false;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool given_ = false;
};

void write_all(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(1, bytes.data(), bytes.size());
        if (written <= 0) return;
        bytes.remove_prefix(static_cast<size_t>(written));
    }
}

class Line {
public:
    sealwire::pipe_options options() {
        sealwire::pipe_options out;
        out.on_output = [this](sealwire::pipe) { output_.give(); };
        out.on_room = [this](sealwire::pipe) { room_.give(); };
        out.on_closed = [this](sealwire::pipe, const sw_event_pipe_closed& closed) {
            rest_ = std::string(sealwire::view_of(closed.rest));
            over_ = true;
            output_.give();
            room_.give();
        };
        return out;
    }
    void start(sealwire::pipe pipe) {
        std::thread([this, pipe] { read(pipe); }).detach();  // it may wait for input until the program ends
        writer_ = std::thread([this, pipe] { write(pipe); });
    }
    void join() { writer_.join(); }

private:
    void read(sealwire::pipe pipe) {
        std::string block(32 * 1024, 0);
        try {
            for (ssize_t size; (size = ::read(0, block.data(), block.size())) > 0;) {
                while (!pipe.try_give({block.data(), static_cast<size_t>(size)})) room_.wait();
            }
            pipe.end();
        } catch (const sealwire::error&) {  // it is over
        }
    }
    void write(sealwire::pipe pipe) {
        std::string block(32 * 1024, 0);
        while (!over_) {
            size_t size = 0;
            try {
                size = pipe.take(block.data(), block.size());
            } catch (const sealwire::error&) {  // it is over
            }
            if (size > 0) write_all({block.data(), size});
            else output_.wait();
        }
        write_all(rest_);
    }

    Signal output_, room_;
    std::string rest_;
    std::atomic<bool> over_{false};
    std::thread writer_;
};

}  // namespace

int main(int argc, char** argv) {
    const bool serves = argc > 1 && std::strcmp(argv[1], "serve") == 0;
    const std::string seed(SW_SEED_SIZE, 7);
    const sealwire::identity identity = sealwire::identity::from_seed(seed);
    sealwire::node_options options;
    options.network = "pipes";
    options.access = SW_ACCESS_ANYONE;
    if (serves) options.identity = &identity;
    std::promise<void> closed;
    options.on_closed = [&](sealwire::peer, const sw_event_closed&) { closed.set_value(); };
    sealwire::node node(std::move(options));
    node.route("echo", [](const sealwire::incoming& message) { message.reply(message.body()); });
    Line line;
    if (serves) {
        line.start(node.accept_pipe(line.options()));
        closed.get_future().wait();
    } else {
        sealwire::pipe_options pipe_options = line.options();
        sealwire::pipe pipe;
        sealwire::peer peer = node.connect_pipe(identity.id(), std::move(pipe_options), nullptr, &pipe);
        line.start(pipe);
        size_t compared = 0;
        for (size_t size = 1; size <= 1'000'000; size *= 10) {
            const std::string body(size, static_cast<char>(size % 251));
            std::promise<std::string> answer;
            peer.request("echo", body,
                         [&](const sealwire::outcome& outcome) { answer.set_value(std::string(outcome.body())); });
            compared += answer.get_future().get() == body;
        }
        peer.close();
        closed.get_future().wait();
        std::fprintf(stderr, "compared %zu\n", compared);
    }
    line.join();
    node.close();
    return 0;
}
