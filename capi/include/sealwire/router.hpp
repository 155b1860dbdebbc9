// What sealwire.hpp's node does around the handlers of its routes: middleware, and limits of how many requests are handled at once.
#ifndef SEALWIRE_ROUTER_HPP
#define SEALWIRE_ROUTER_HPP

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "basics.hpp"

namespace sealwire {

class incoming;

using route_fn = std::function<void(const incoming&)>;
using next_fn = std::function<void()>;
// Stands around handlers: calling `next`, once, runs what lies within; not calling it, the middleware answers by itself.
using middleware_fn = std::function<void(const incoming&, const next_fn& next)>;

struct route_options {
    std::vector<middleware_fn> use;  // of this route alone, within that of the node
    // Requests of this route that are handled at once, each from the call of its handler to its answer; 0: any number. Further
    // messages wait, charged to their sender.
    uint32_t max_handlers = 0;
};

namespace detail {

// What an exchange's `user` points to.
struct pending {
    pending() = default;
    pending(const pending&) = delete;
    pending& operator=(const pending&) = delete;
    virtual ~pending() = default;
    virtual void done(const sw_event& event) = 0;  // its last event; it deletes itself
};

class turns;
struct route_entry;

// A message that has its turn, or waits for it.
struct turn final : pending {
    turns* of = nullptr;
    route_entry* route = nullptr;
    const sw_event* held = nullptr;  // while it waits
    bool over = false;               // its exchange was cancelled while it waited
    void done(const sw_event& event) override;
};

struct route_entry {
    route_fn handler;
    route_options options;
    std::deque<turn*> waiting;
    uint32_t running = 0;
};

// Which messages are handled now; on the thread that handlers run on.
class turns {
public:
    using run_fn = std::function<void(const sw_event&, route_entry&)>;

    explicit turns(uint32_t max) : max_(max) {}
    turns(const turns&) = delete;
    turns& operator=(const turns&) = delete;
    ~turns() {
        for (route_entry* route : routes_) {
            for (turn* one : route->waiting) {
                if (one->held) sw_event_release(one->held);
                delete one;
            }
        }
    }
    run_fn run;  // handles a message

    bool limits(const route_entry& route) const { return max_ > 0 || route.options.max_handlers > 0; }

    // A message has come. True: a fetched event is kept here, and is not to be released.
    bool come(const sw_event& event, route_entry& route, bool fetched) {
        auto one = std::make_unique<turn>();
        one->of = this;
        one->route = &route;
        const bool answers = event.as.message.expects != SW_EXPECTS_NONE;
        // So DONE tells when it is answered, or cancelled before.
        if (answers && sw_exchange_set_user(event.as.message.exchange, static_cast<pending*>(one.get())) != SW_OK)
            return false;
        if (route.waiting.empty() && room(route)) {
            if (answers) begun(*one.release());
            run(event, route);
            return false;
        }
        if (fetched) one->held = &event;
        else check(sw_event_hold(&event, &one->held));
        bool known = false;
        for (const route_entry* other : routes_) known = known || other == &route;
        if (!known) routes_.push_back(&route);
        route.waiting.push_back(one.release());
        return fetched;
    }
    void ended(route_entry& route) {
        --route.running;
        --running_;
        next();
    }

private:
    bool room(const route_entry& route) const {
        return (max_ == 0 || running_ < max_) &&
               (route.options.max_handlers == 0 || route.running < route.options.max_handlers);
    }
    void begun(const turn& one) {
        ++one.route->running;
        ++running_;
    }
    // Those that wait, the routes in turn. A handler that answers at once is told as ended by a later event.
    void next() {
        for (size_t i = 0; i < routes_.size(); ++i) {
            route_entry* const route = routes_.front();
            routes_.splice(routes_.end(), routes_, routes_.begin());
            while (!route->waiting.empty() && (route->waiting.front()->over || room(*route))) begin(*route);
        }
    }
    void begin(route_entry& route) {
        std::unique_ptr<turn> one(route.waiting.front());
        route.waiting.pop_front();
        if (one->over) return;
        struct releaser {
            const sw_event* event;
            ~releaser() { sw_event_release(event); }
        } const held{std::exchange(one->held, nullptr)};
        if (held.event->as.message.expects != SW_EXPECTS_NONE) begun(*one.release());
        run(*held.event, route);
    }

    const uint32_t max_;
    uint32_t running_ = 0;
    std::list<route_entry*> routes_;  // that had to wait
};

inline void turn::done(const sw_event&) {
    if (held) {
        sw_event_release(std::exchange(held, nullptr));
        over = true;  // its place in the queue is freed when its turn comes
        return;
    }
    turns* const all = of;
    route_entry* const ended = route;
    delete this;
    all->ended(*ended);
}

// The middleware of `chain`, one inside the other, and within them the handler.
inline void call_through(const std::vector<middleware_fn>& chain, const route_fn& handler, const incoming& message) {
    size_t reached = 0;
    const std::function<void(size_t)> step = [&](size_t at) {
        if (at < reached) throw std::logic_error("a middleware calls next once");
        reached = at + 1;
        if (at < chain.size()) chain[at](message, [&step, at] { step(at + 1); });
        else handler(message);
    };
    step(0);
}

}  // namespace detail
}  // namespace sealwire

#endif
