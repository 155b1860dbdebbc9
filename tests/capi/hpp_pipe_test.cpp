// sealwire.hpp: sessions over pipes that a program carries, by handlers as functions; and limits at the door.
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "sealwire/sealwire.hpp"
#include "support/tap.h"

namespace {

// Carries what each of two pipes sends to the other, as far as that takes it.
class Line {
public:
    sealwire::pipe_options side(int number, std::shared_ptr<int> kept = nullptr) {
        sealwire::pipe_options options;
        options.address = number == 0 ? "line:near" : "line:far";
        options.buffer_bytes = 2000;
        options.on_output = [this, number](sealwire::pipe from) { carry(number, from); };
        options.on_room = [this, number](sealwire::pipe) { carry(1 - number, ends[1 - number]); };
        options.on_closed = [this, number, kept](sealwire::pipe, const sw_event_pipe_closed& closed) {
            const std::lock_guard<std::mutex> lock(mutex_);
            held_[number] += sealwire::view_of(closed.rest);
            over_[number] = true;
            send(number);
            changed_.notify_all();
        };
        return options;
    }
    bool wait_over() {
        std::unique_lock<std::mutex> lock(mutex_);
        return changed_.wait_for(lock, std::chrono::seconds(30), [&] { return over_[0] && over_[1]; });
    }
    sealwire::pipe ends[2];

private:
    void carry(int number, sealwire::pipe from) {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (from == sealwire::pipe() || over_[number]) return;
        ends[number] = from;
        char room[1000];
        while (send(number)) {
            size_t size = 0;
            try {
                size = from.take(room, sizeof room);
            } catch (const sealwire::error&) {  // over, and on_closed is on its way
            }
            if (size == 0) return;
            held_[number].assign(room, size);
        }
    }
    bool send(int number) {
        if (held_[number].empty()) return true;
        try {
            if (!ends[1 - number].try_give(held_[number])) return false;
        } catch (const sealwire::error&) {  // it has gone
        }
        held_[number].clear();
        return true;
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::string held_[2];
    bool over_[2] = {false, false};
};

void carries(sealwire::run_on handlers) {
    Line line;
    const auto kept = std::make_shared<int>(1);
    std::mutex mutex;
    std::condition_variable changed;
    std::string reply, address;
    sealwire::pipe told;
    sealwire::node_options options;
    options.access = SW_ACCESS_ANYONE;
    options.on_connected = [&](sealwire::peer, const sw_event_connected& connected) {
        const std::lock_guard<std::mutex> lock(mutex);
        address = std::string(sealwire::view_of(connected.address));
        told = sealwire::pipe(connected.pipe);
    };
    sealwire::node server(options);
    server.route("echo", [](const sealwire::incoming& message) { message.reply(message.body()); });
    options.on_connected = nullptr;
    options.handlers = handlers;
    sealwire::node client(options);
    line.ends[1] = server.accept_pipe(line.side(1));
    sealwire::peer peer = client.connect_pipe(server.id(), line.side(0, kept));
    peer.request("echo", std::string(20'000, 'x'), [&](const sealwire::outcome& outcome) {
        const std::lock_guard<std::mutex> lock(mutex);
        reply = std::string(outcome.body());
        changed.notify_all();
    });
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    for (std::unique_lock<std::mutex> lock(mutex); reply.empty() && std::chrono::steady_clock::now() < until;) {
        if (handlers == sealwire::run_on::loop) {
            changed.wait_until(lock, until);
        } else {
            lock.unlock();
            client.poll(100);
            lock.lock();
        }
    }
    tap_ok(reply == std::string(20'000, 'x'), "a request is answered over a pipe of the program");
    tap_ok(address == "line:far" && told == line.ends[1], "on_connected has its address and the pipe");
    tap_ok(kept.use_count() == 2, "its handlers are kept while it lasts");
    client.close();
    server.close();
    tap_ok(line.wait_over(), "both pipes have their last event");
    tap_ok(kept.use_count() == 1, "and their handlers go with it");
}

void refuses() {
    sealwire::node node;
    sealwire::pipe_options options;
    options.address = "two\nlines";
    const auto kept = std::make_shared<int>(1);
    options.on_room = [kept](sealwire::pipe) {};
    bool thrown = false;
    try {
        node.accept_pipe(std::move(options));
    } catch (const sealwire::error& error) {
        thrown = error.code() == SW_ERR_ARG;
    }
    options = {};
    tap_ok(thrown && kept.use_count() == 1, "a pipe that is refused keeps nothing");
    const sealwire::pipe pipe = node.accept_pipe({});
    bool ended = true;
    char room[10];
    tap_ok(pipe.try_give("x") && pipe.take(room, sizeof room, &ended) == 0 && !ended, "one needs no handlers");
    pipe.end();
    pipe.fail("enough");
}

void limits() {
    const sealwire::connection_limits one(1);
    sealwire::node_options options;
    options.access = SW_ACCESS_ANYONE;
    options.limits.connection_limits = one.raw();
    std::mutex mutex;
    std::condition_variable changed;
    std::string ticket;
    std::vector<sw_result> closed;
    options.on_listening = [&](const sw_event_listening& event) {
        const std::lock_guard<std::mutex> lock(mutex);
        ticket = std::string(sealwire::view_of(event.ticket));
        changed.notify_all();
    };
    sealwire::node server(options);
    sealwire::listener listener = server.listen("tcp://127.0.0.1:0");
    sealwire::node_options dialling;
    dialling.on_connected = [&](sealwire::peer, const sw_event_connected&) {
        const std::lock_guard<std::mutex> lock(mutex);
        closed.push_back(SW_OK);
        changed.notify_all();
    };
    dialling.on_closed = [&](sealwire::peer, const sw_event_closed& event) {
        const std::lock_guard<std::mutex> lock(mutex);
        closed.push_back(event.result);
        changed.notify_all();
    };
    sealwire::node first(dialling), second(dialling);
    std::unique_lock<std::mutex> lock(mutex);
    const auto wait = [&](auto done) { return changed.wait_for(lock, std::chrono::seconds(30), done); };
    wait([&] { return !ticket.empty(); });
    first.connect(ticket);
    tap_ok(wait([&] { return closed.size() == 1; }) && closed[0] == SW_OK, "as many as are taken come in");
    second.connect(ticket);
    tap_ok(wait([&] { return closed.size() == 2; }) && closed[1] == SW_ERR_LIMIT && one.counts().refused_by_limit == 1,
           "and the next is told that there are too many");
    listener.set_addresses({}, {"127.0.0.0/8"});
    second.connect(ticket);
    tap_ok(wait([&] { return closed.size() == 3; }) && closed[2] == SW_ERR_NO_ANSWER,
           "addresses are denied while it listens");
}

}  // namespace

int main() {
    carries(sealwire::run_on::loop);
    carries(sealwire::run_on::poll);
    refuses();
    limits();
    return tap_done();
}
