// A node opened as the command line says, run on this thread until what the command waits for, or SIGINT.
#pragma once

#include <unistd.h>
#include <sealwire/sealwire.hpp>

#include <chrono>
#include <csignal>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "options.h"

namespace tool {

// --key, --network, --network-file, --json; and --connect-timeout for commands that connect.
std::vector<Option> with_node_options(std::vector<Option> own, bool connects);

// What --network or --network-file says, checked; empty for the public network.
std::string network_of(const Arguments& arguments);

// It is a secret, not a public name.
bool is_network_secret(std::string_view text);

// --tls-ca and the like, of what connects or what listens; nothing when none of them is given.
std::optional<sealwire::tls_options> tls_of(const Arguments& arguments, bool listens);

// SIGINT, SIGTERM and SIGHUP become a descriptor: from its making on they interrupt run_until and nothing else.
class Interrupts {
public:
    Interrupts();
    ~Interrupts();
    Interrupts(const Interrupts&) = delete;
    Interrupts& operator=(const Interrupts&) = delete;
    // Runs the nodes' handlers until `over`, or until `input`, a descriptor if it is not negative, can be read (true), the time is
    // over, or a signal came (false).
    bool run_until(std::vector<sealwire::node*> nodes, const std::function<bool()>& over,
                   uint32_t timeout_ms = SW_NEVER, int input = -1);
    // Writes all of it, however long its reader takes, waiting after a signal for 2 s at most; false when it cannot be written, and from there on.
    bool write(int fd, std::string_view bytes);
    bool broken() const { return broken_; }
    bool interrupted() const { return interrupted_; }
    // The exit code of a command that ends as its output is broken; main says why. That its reader has gone is a pipe's ordinary end.
    int broken_status() const;

private:
    bool came();

    sigset_t before_;
    int fd_;
    bool interrupted_ = false;
    bool unheard_ = false;  // a signal came while something was written
    bool broken_ = false;
    int write_error_ = 0;  // an errno
    std::chrono::steady_clock::time_point last_moment_;
};

class Session {
public:
    // `options.identity`, `network` and `handlers` are set from the command line.
    Session(const Arguments& arguments, sealwire::node_options options);
    sealwire::node& node() { return *node_; }
    // No --key was given.
    bool new_key() const { return !identity_; }
    // With the certificates, limits and lists of the command line, beside what `options`, initialised, says. `option` is what the
    // address was given by, if it was an option.
    sealwire::listener listen(const Arguments& arguments, const std::string& url, sw_listen_options options,
                              std::string_view option = {});
    sealwire::listener listen(const Arguments& arguments, const std::string& url, std::string_view option = {});
    bool interrupted() const { return interrupts_.interrupted(); }
    bool run_until(const std::function<bool()>& over, uint32_t timeout_ms = SW_NEVER, int input = -1) {
        return interrupts_.run_until({&node()}, over, timeout_ms, input);
    }
    bool write(int fd, std::string_view bytes) { return interrupts_.write(fd, bytes); }
    // What people read, on standard output.
    void print(std::string_view text) { write(STDOUT_FILENO, text); }
    bool broken() const { return interrupts_.broken(); }
    int broken_status() const { return interrupts_.broken_status(); }

private:
    std::optional<sealwire::identity> identity_;
    Interrupts interrupts_;
    std::optional<sealwire::node> node_;
};

// What to do, where the tool knows better than the library; else nothing. `new_key`: this program's key is of this run alone.
std::string_view hint_of(sw_result result, bool new_key);

// How a peer ended, kept beyond its event.
struct Ending {
    explicit Ending(const sw_event_closed& closed, bool new_key = false);
    int explain(bool json) const;
    sw_result result;
    uint32_t code;
    std::string words, detail, endpoint;
    bool new_key;
    std::string_view hint{};  // in place of what the result says
};

// What a peer told when it was connected.
struct Connected {
    explicit Connected(const sw_event_connected& connected);
    sealwire::peer_id id;
    std::string address;
    uint32_t suite;
    int64_t clock_difference_ms;
};

// What listeners, peers and logs tell beside what was asked for, in JSON or in words.
void print_listening(const sw_event_listening& event, const sealwire::peer_id& own);
// Behind "with this ticket": what to put in place of an address that stands for all of this host; else nothing.
std::string host_words(std::string_view ticket);
void print_log(const sw_event_log& event, bool json);
bool is_orderly(const sw_event_closed& event);
// Where a peer is connected from or to, in words: who dials a unix socket has no address there.
std::string place_of(const sw_event_connected& event);
// Which connections are lost, and not back yet.
class LostLinks {
public:
    // Whether the peer of such an event is, or was until then: RESUMED also comes of a session that has moved, and lost nothing.
    bool note(sealwire::peer peer, sw_event_type type);
    void forget(sealwire::peer peer);

private:
    std::vector<sealwire::peer> peers_;
};
// Of SW_EVENT_PEER_SUSPENDED, _CONNECTING and _RESUMED of a session, behind its peer's short id.
std::string link_words(sw_event_type type, const sw_event_link& event, bool lost);
std::string words_of(const sw_event_closed& event);

// --key; nothing when it is not given.
std::optional<sealwire::identity> identity_of(const Arguments& arguments);

// Dials a ticket that this option gives; what is wrong with it names that.
sealwire::peer connect_by_option(sealwire::node& node, std::string_view option, const std::string& ticket,
                                 const sw_connect_options& options);

// The options of a dial, with the certificates and the time that the command line says. It stays where it was made.
struct DialOptions {
    explicit DialOptions(const Arguments& arguments);
    DialOptions(const DialOptions&) = delete;
    DialOptions& operator=(const DialOptions&) = delete;
    sw_connect_options options;

private:
    std::optional<sealwire::tls_options> tls_;
    sw_tls_options raw_tls_{};
};

// A session with one peer, named by its ticket.
class Client {
public:
    using EventFn = std::function<void(const sw_event&)>;
    Client(const Arguments& arguments, const std::string& ticket, EventFn on_event = nullptr);
    // Returns kDone, or the exit code after saying why not.
    int connect();
    // The same without saying anything: connected(), ending() or kInterrupted.
    int wait();
    // Runs until `over`; when the connection ends or a signal comes before, says so and returns the exit code.
    int run_until(const std::function<bool()>& over);
    // For a while, running the nodes' handlers.
    int wait(uint32_t ms);
    // Ends the connection in good order and waits for that.
    void close();
    sealwire::peer peer() const { return peer_; }
    const Connected& connected() const { return *connected_; }
    const std::optional<Ending>& ending() const { return ending_; }
    bool interrupted() const { return session_.interrupted(); }

private:
    sealwire::node_options handlers(EventFn on_event);
    bool json_;
    std::optional<Connected> connected_;
    std::optional<Ending> ending_;
    Session session_;
    sealwire::peer peer_;
};

}  // namespace tool
