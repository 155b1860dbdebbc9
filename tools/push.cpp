// sealwire push: sends files to a peer that receives them, with a progress bar.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <string>

#include "command.h"
#include "output.h"
#include "session.h"

namespace tool {
namespace {

using Clock = std::chrono::steady_clock;
constexpr uint64_t kStep = 256 * 1024;

std::string megabytes(double bytes) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1f MB", bytes / 1e6);
    return text;
}

// One line on a terminal, written again and again; nothing elsewhere.
class Bar {
public:
    explicit Bar(bool json) : shown_(!json && isatty(STDERR_FILENO)) {}
    ~Bar() { clear(); }
    void begin(const std::string& name, uint64_t size) {
        name_ = printable(name, 30);
        size_ = size;
        start_ = Clock::now();
        draw(0);
    }
    void draw(uint64_t bytes) {
        if (!shown_) return;
        constexpr int kWidth = 24;
        const double part = size_ > 0 ? static_cast<double>(bytes) / static_cast<double>(size_) : 1;
        const std::string full(static_cast<size_t>(part * kWidth), '=');
        const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
        const std::string pace = seconds > 0.2 ? megabytes(static_cast<double>(bytes) / seconds) + "/s" : "";
        std::fprintf(stderr, "\r%s [%-*s] %3d %% of %s %s\033[K", name_.c_str(), kWidth, full.c_str(),
                     static_cast<int>(part * 100), megabytes(static_cast<double>(size_)).c_str(), pace.c_str());
        drawn_ = true;
    }
    void clear() {
        if (drawn_) std::fputs("\r\033[K", stderr);
        drawn_ = false;
    }

private:
    const bool shown_;
    bool drawn_ = false;
    std::string name_;
    uint64_t size_ = 0;
    Clock::time_point start_;
};

// What becomes of one file: its part, and the peer's answer.
struct Sending {
    std::optional<sw_result> sent;
    std::string detail;
    bool answered = false;
    sw_result result = SW_OK;
    uint32_t code = 0;
    std::string words;
};

class Push {
public:
    Push(const Arguments& arguments, const std::string& ticket)
        : json_(arguments.json()),
          bar_(json_),
          client_(arguments, ticket, [this](const sw_event& event) { on_event(event); }) {}

    int run(const std::vector<std::string>& paths) {
        if (const int failed = client_.connect()) return failed;
        int worst = kDone;
        for (const std::string& path : paths) {
            const int status = send(path);
            if (status == kLost || status == kInterrupted) return status;
            if (status != kDone) worst = status;
        }
        client_.close();
        return worst;
    }

private:
    int send(const std::string& path) try {
        sealwire::file file(path, {}, kStep);
        const std::string name(sealwire::view_of(file.raw().name));
        sw_request_options options;
        sw_request_options_init(&options);
        options.timeout_ms = SW_NEVER;
        options.parts = &file.raw();
        options.part_count = 1;
        options.part_handles = &part_;
        sending_ = Sending();
        sealwire::check(sw_peer_request(client_.peer().raw(), sealwire::text_of("push"), {}, &options, nullptr));
        const uint64_t size = file.size();
        file.taken();
        bar_.begin(name, size);
        const int ended = client_.run_until([&] { return sending_.answered && sending_.sent; });
        bar_.clear();
        if (ended) return ended;
        if (*sending_.sent != SW_OK && sending_.result != SW_ERR_STATUS) {
            return explain({.result = *sending_.sent, .detail = sending_.detail, .where = path}, json_);
        }
        if (sending_.result != SW_OK) {
            return explain({.result = sending_.result, .where = path, .code = sending_.code, .words = sending_.words},
                           json_);
        }
        if (json_) {
            Json()
                .text("event", "pushed")
                .text("peer", client_.connected().id.text())
                .text("name", name)
                .number("bytes", static_cast<int64_t>(size))
                .print();
        } else {
            std::fprintf(stderr, "%s has saved %s, %llu bytes\n", short_id(client_.connected().id).c_str(),
                         printable(name).c_str(), static_cast<unsigned long long>(size));
        }
        return kDone;
    } catch (const sealwire::error& error) {
        return explain({.result = error.code(), .detail = error.detail(), .where = path}, json_);
    }

    void on_event(const sw_event& event) {
        switch (event.type) {
            case SW_EVENT_PART_PROGRESS: return bar_.draw(event.as.part_progress.bytes);
            case SW_EVENT_PART_DONE:
                sending_.sent = event.as.part_done.result;
                sending_.detail = sealwire::view_of(event.as.part_done.detail);
                return;
            case SW_EVENT_DONE: return answered(event.as.done.result, event.as.done.code, event.as.done.text);
            default: return;
        }
    }
    void answered(sw_result result, uint32_t code, sw_text words) {
        sending_.answered = true;
        sending_.result = result;
        sending_.code = code;
        sending_.words = sealwire::view_of(words);
    }

    const bool json_;
    Bar bar_;
    Sending sending_;
    sw_part part_{};
    Client client_;
};

int run_push(const Arguments& arguments) {
    const std::string& ticket = arguments.need(0, "ticket");
    arguments.need(1, "file to send");
    const std::vector<std::string> paths(arguments.positional().begin() + 1, arguments.positional().end());
    return Push(arguments, ticket).run(paths);
}

}  // namespace

const Command kPush{
    "push",
    "TICKET FILE...",
    "send files to `sealwire receive`",
    "Sends each FILE to the peer of TICKET, where `sealwire receive` saves it under its name, and waits until "
    "that is done.\n"
    "Only regular files are sent. A bar shows how far it has come, on a terminal.",
    with_node_options({}, true),
    run_push};

}  // namespace tool
