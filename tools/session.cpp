// A node opened as the command line says, run on this thread.
#include "session.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstdio>
#include <utility>

#include "access.h"
#include "named_file.h"
#include "output.h"

namespace tool {

std::vector<Option> with_node_options(std::vector<Option> own, bool connects) {
    own.push_back(
        {"--key", "FILE", "this program's key (see `sealwire keygen`); without it a new one, for this run only"});
    own.push_back({"--network", "NAME", "the network's name or secret; it must be the peer's"});
    own.push_back({"--network-file", "FILE", "the same from a file, so that a secret shows in no list of processes"});
    if (connects) own.push_back({"--connect-timeout", "SECONDS", "how long to try to reach the peer (20)"});
    if (connects)
        own.push_back({"--tls-ca", "FILE", "of tls:// and wss://: whom to trust, in place of the system's CAs"});
    if (connects)
        own.push_back({"--tls-name", "NAME", "of tls:// and wss://: what the certificate is for, if not the host"});
    own.push_back(
        {"--tls-cert", "FILE", "of tls:// and wss://: this program's certificate, and those between it and its CA"});
    own.push_back({"--tls-key", "FILE", "of tls:// and wss://: the key of that certificate"});
    if (!connects)
        own.push_back({"--tls-client-ca", "FILE", "of tls:// and wss://: who connects needs a certificate of this CA"});
    own.push_back({"--tls-crl", "FILE", "of tls:// and wss://: certificates that the CA has revoked"});
    own.push_back({"--lease", "SECONDS",
                   "how long to keep a session whose connection broke, and dial again (60; 0: not at all)"});
    own.push_back(
        {"--heartbeat", "SECONDS",
         "of silence, after which a peer is asked for a sign of life; thrice that is its end (15; 0: never)"});
    own.push_back({"--json", "", "print JSON objects, one a line"});
    return own;
}

std::string network_of(const Arguments& arguments) {
    if (!arguments.has("--network-file")) {
        const std::string text = arguments.value("--network");
        naming("--network", [&] { sealwire::check_network(text); });  // a secret is not repeated
        return text;
    }
    if (arguments.has("--network")) throw UsageError("--network and --network-file cannot both be given");
    const std::string path = arguments.value("--network-file");
    constexpr size_t kMost = 4096;  // a name has at most 255 bytes
    const OptionFile file = read_option_file("--network-file", path, kMost);
    const std::string text = file.text();
    if (text.empty()) {
        throw FileError(SW_ERR_KEY, "a file that an option names is empty",
                        "--network-file: the file " + path + " has no network in it",
                        "Write the network's name or secret to it, as `sealwire network new > FILE` does, and into a "
                        "named pipe before this is run.");
    }
    naming("--network-file " + path, [&] { sealwire::check_network(text); });
    if (is_network_secret(text)) check_secret_mode("--network-file", path, file.mode, Readers::owner);
    return text;
}

std::optional<sealwire::tls_options> tls_of(const Arguments& arguments, bool listens) {
    sealwire::tls_options tls;
    bool given = false;
    const auto take = [&](const char* name, std::string& out) {
        if (!arguments.has(name)) return false;
        out = arguments.value(name);
        return given = true;
    };
    take("--tls-ca", tls.ca_file);
    take("--tls-name", tls.server_name);
    take("--tls-cert", tls.certificate_file);
    if (take("--tls-key", tls.key_file)) check_secret_file("--tls-key", tls.key_file, Readers::group);
    take("--tls-crl", tls.crl_file);
    if (listens && take("--tls-client-ca", tls.ca_file)) tls.clients = SW_TLS_CLIENTS_REQUIRED;
    return given ? std::optional(std::move(tls)) : std::nullopt;
}

sealwire::listener Session::listen(const Arguments& arguments, const std::string& url, sw_listen_options options,
                                   std::string_view option) {
    const Door door(arguments);
    door.set(options);
    const auto tls = tls_of(arguments, true);
    const sw_tls_options raw = tls ? tls->raw() : sw_tls_options{};
    if (tls) options.tls = &raw;
    try {
        return node().listen(url, &options);
    } catch (const sealwire::error& error) {
        if (error.code() == SW_ERR_ARG)
            throw UsageError((option.empty() ? "" : std::string(option) + " " + url + ": ") + error.detail());
        if (option.empty()) throw;
        throw sealwire::error(error.code(), std::string(option) + " " + url + ": " + error.detail());
    }
}

sealwire::listener Session::listen(const Arguments& arguments, const std::string& url, std::string_view option) {
    sw_listen_options options;
    sw_listen_options_init(&options);
    return listen(arguments, url, options, option);
}

Interrupts::Interrupts() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
        struct sigaction before;
        sigaction(signal, nullptr, &before);
        if (before.sa_handler != SIG_IGN) sigaddset(&set, signal);  // as nohup wants it
    }
    sigprocmask(SIG_BLOCK, &set, &before_);
    fd_ = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd_ < 0) throw sealwire::error(SW_ERR_DESCRIPTORS, "signalfd");
    write_lines_by([this](std::string_view line) { return write(STDOUT_FILENO, line); });
}

Interrupts::~Interrupts() {
    write_lines_by(nullptr);
    close(fd_);
    sigprocmask(SIG_SETMASK, &before_, nullptr);
}

bool Interrupts::came() {
    signalfd_siginfo signal;
    if (read(fd_, &signal, sizeof signal) != sizeof signal) return false;
    if (!std::exchange(interrupted_, true)) last_moment_ = std::chrono::steady_clock::now() + std::chrono::seconds(2);
    return true;
}

bool Interrupts::run_until(std::vector<sealwire::node*> nodes, const std::function<bool()>& over, uint32_t timeout_ms,
                           int input) {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point end = Clock::now() + std::chrono::milliseconds(timeout_ms);
    std::vector<pollfd> fds{{fd_, POLLIN, 0}, {input, POLLIN, 0}};
    for (sealwire::node* node : nodes) fds.push_back({node->fd(), POLLIN, 0});
    for (;;) {
        for (sealwire::node* node : nodes) node->poll(0);
        const bool interrupted = std::exchange(unheard_, false);
        if (over()) return true;
        if (interrupted) return false;
        int wait = -1;
        if (timeout_ms != SW_NEVER) {
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count();
            if (left <= 0) return false;
            wait = static_cast<int>(std::min<int64_t>(left, INT_MAX));
        }
        if (poll(fds.data(), fds.size(), wait) < 0 && errno != EINTR) throw sealwire::error(SW_ERR_SYSTEM, "poll");
        if (came()) return false;
        if (fds[1].revents) return true;
    }
}

bool Interrupts::write(int fd, std::string_view bytes) {
    constexpr size_t kStep = 4096;  // that poll promises of a pipe (PIPE_BUF)
    constexpr int kLastWait = 200;  // ms
    while (!bytes.empty() && !broken_) {
        pollfd fds[] = {{fd, POLLOUT, 0}, {fd_, POLLIN, 0}};
        // Late, nothing is waited for any more; a reader that is ready gets all the same what there is.
        const bool late = interrupted_ && std::chrono::steady_clock::now() >= last_moment_;
        const int ready = poll(fds, 2, !interrupted_ ? -1 : late ? 0 : kLastWait);
        broken_ = ready == 0 || (ready < 0 && errno != EINTR);
        if (ready > 0 && fds[1].revents) broken_ = interrupted_;  // a second signal waits no more
        if (ready > 0 && fds[1].revents) unheard_ = came() || unheard_;
        if (broken_ || ready < 0 || !fds[0].revents) continue;
        const ssize_t size = ::write(fd, bytes.data(), std::min(bytes.size(), kStep));
        if (size >= 0) bytes.remove_prefix(static_cast<size_t>(size));
        else if (errno != EINTR && errno != EAGAIN) broken_ = true, write_error_ = errno;
    }
    if (broken_status() != kDone) output_failed(write_error_);
    return !broken_;
}

int Interrupts::broken_status() const { return write_error_ == 0 || write_error_ == EPIPE ? kDone : kFailed; }

Session::Session(const Arguments& arguments, sealwire::node_options options) {
    identity_ = identity_of(arguments);
    options.identity = identity_ ? &*identity_ : nullptr;
    options.network = network_of(arguments);
    const auto span = [&](const char* option) {
        return arguments.value(option) == "0" ? SW_NEVER : arguments.duration_ms(option, 0);
    };
    options.limits.lease_ms = span("--lease");
    options.limits.heartbeat_ms = span("--heartbeat");
    options.handlers = sealwire::run_on::poll;
    node_.emplace(std::move(options));
}

Ending::Ending(const sw_event_closed& closed, bool of_new_key)
    : result(closed.result),
      code(closed.code),
      words(sealwire::view_of(closed.text)),
      detail(sealwire::view_of(closed.detail)),
      endpoint(sealwire::view_of(closed.endpoint)),
      new_key(of_new_key) {}

int Ending::explain(bool json) const {
    // Closed in good order, but before the command was through: by the peer then.
    const sw_result why = result == SW_OK ? SW_ERR_PEER_CLOSED : result;
    return tool::explain({.result = why,
                          .detail = detail,
                          .where = endpoint,
                          .code = code,
                          .words = words,
                          .hint = hint.empty() ? hint_of(result, new_key) : hint},
                         json);
}

std::string_view hint_of(sw_result result, bool new_key) {
    if (result == SW_ERR_LEASE) {
        return "Its connection stayed broken for longer than --lease, or the peer was started anew. Run this again.";
    }
    if (!new_key || result != SW_ERR_NOT_ALLOWED) return {};
    return "No --key was given, so that this program has a new key with each run: make one by `sealwire keygen`, have "
           "its peer id allowed, and give it by --key.";
}

Connected::Connected(const sw_event_connected& connected)
    : id(connected.id),
      address(sealwire::view_of(connected.address)),
      suite(connected.suite),
      clock_difference_ms(connected.clock_difference_ms) {}

void print_listening(const sw_event_listening& event, const sealwire::peer_id& own) {
    Json()
        .text("event", "listening")
        .text("address", sealwire::view_of(event.address))
        .text("ticket", sealwire::view_of(event.ticket))
        .text("id", own.text())
        .print();
}

std::string host_words(std::string_view ticket) {
    for (const char* const any : {"0.0.0.0", "[::]"}) {
        if (ticket.find("//" + std::string(any) + ":") == ticket.npos) continue;
        return ", with a name or address of this host in place of " + std::string(any);
    }
    return "";
}

void print_log(const sw_event_log& event, bool json) {
    const std::string_view text = sealwire::view_of(event.text), address = sealwire::view_of(event.address);
    if (json) {
        Json()
            .text("event", "log")
            .text("error", sw_result_name(event.result))
            .text("text", text)
            .text("peer", sealwire::view_of(event.peer))
            .text("address", address)
            .text("route", sealwire::view_of(event.route))
            .print();
    } else {
        std::string peer = printable(sealwire::view_of(event.peer));
        if (!peer.empty()) peer += ' ';
        const std::string at = address.empty() ? "" : " (" + printable(address) + ")";
        std::fprintf(stderr, "log: %s%s%s\n", peer.c_str(), printable(text, 1000).c_str(), at.c_str());
    }
}

bool is_network_secret(std::string_view text) { return text.rfind("swnet1", 0) == 0; }

std::string place_of(const sw_event_connected& event) {
    const std::string_view address = sealwire::view_of(event.address);
    return address == "unix:" ? "a unix socket" : printable(address);
}

bool is_orderly(const sw_event_closed& event) {
    return event.result == SW_OK || (event.result == SW_ERR_PEER_CLOSED && event.code == 0);
}

bool LostLinks::note(sealwire::peer peer, sw_event_type type) {
    if (type == SW_EVENT_PEER_RESUMED) return std::erase(peers_, peer) > 0;
    const bool known = std::find(peers_.begin(), peers_.end(), peer) != peers_.end();
    if (type == SW_EVENT_PEER_SUSPENDED && !known) peers_.push_back(peer);
    return known || type == SW_EVENT_PEER_SUSPENDED;
}

void LostLinks::forget(sealwire::peer peer) { std::erase(peers_, peer); }

std::string link_words(sw_event_type type, const sw_event_link& event, bool lost) {
    std::string why = sw_result_text(event.result);
    if (event.detail.size && sealwire::view_of(event.detail) != why)
        why += " (" + printable(sealwire::view_of(event.detail)) + ")";
    const std::string address = printable(sealwire::view_of(event.address));
    switch (type) {
        case SW_EVENT_PEER_SUSPENDED: return "is out of reach, its session waits: " + why;
        case SW_EVENT_PEER_CONNECTING: return "is dialled again at " + address + ": " + why;
        default: break;
    }
    if (event.result != SW_OK) return "goes on where it was, as " + address + " was not reached: " + why;
    if (!lost) return "goes on over another connection, at " + address;
    return "is back after " + std::to_string(event.suspended_ms) + " ms, nothing was lost";
}

std::string words_of(const sw_event_closed& event) {
    std::string words = is_orderly(event) ? "closed the connection in good order" : sw_result_text(event.result);
    if (event.text.size) words += ": " + printable(sealwire::view_of(event.text));
    return words;
}

std::optional<sealwire::identity> identity_of(const Arguments& arguments) {
    if (!arguments.has("--key")) return std::nullopt;
    return naming("--key", [&] { return std::optional(sealwire::identity::load(arguments.value("--key"))); });
}

sealwire::peer connect_by_option(sealwire::node& node, std::string_view option, const std::string& ticket,
                                 const sw_connect_options& options) {
    return naming(std::string(option) + " " + ticket, [&] { return node.connect(ticket, options); });
}

DialOptions::DialOptions(const Arguments& arguments) : tls_(tls_of(arguments, false)) {
    sw_connect_options_init(&options);
    options.timeout_ms = arguments.duration_ms("--connect-timeout", 0);
    if (!tls_) return;
    raw_tls_ = tls_->raw();
    options.tls = &raw_tls_;
}

Client::Client(const Arguments& arguments, const std::string& ticket, EventFn on_event)
    : json_(arguments.json()), session_(arguments, handlers(std::move(on_event))) {
    peer_ = session_.node().connect(ticket, DialOptions(arguments).options);
}

sealwire::node_options Client::handlers(EventFn on_event) {
    sealwire::node_options options;
    options.on_connected = [this](sealwire::peer, const sw_event_connected& event) { connected_.emplace(event); };
    options.on_closed = [this](sealwire::peer, const sw_event_closed& event) {
        ending_.emplace(event, session_.new_key());
    };
    options.on_event = std::move(on_event);
    return options;
}

int Client::connect() {
    return run_until([this] { return connected_.has_value(); });
}

int Client::wait() {
    session_.run_until([this] { return connected_ || ending_; });
    return interrupted() ? kInterrupted : kDone;
}

int Client::wait(uint32_t ms) {
    session_.run_until([&] { return ending_.has_value(); }, ms);
    if (ending_) return ending_->explain(json_);
    if (!interrupted()) return kDone;
    return explain_interrupt(json_);
}

int Client::run_until(const std::function<bool()>& over) {
    bool through = false;
    session_.run_until([&] { return (through = over()) || ending_; });
    if (through) return kDone;
    if (ending_) return ending_->explain(json_);
    return explain_interrupt(json_);
}

void Client::close() { session_.node().close(); }

}  // namespace tool
