// What the command prints: JSON lines, explanations of failures, and the exit codes that stand for them.
#pragma once

#include <sealwire/sealwire.hpp>

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace tool {

// Stable; docs/man/sealwire.1.scd documents them.
enum Exit : int {
    kDone = 0,
    kFailed = 1,        // what none of the others stands for
    kUsage = 2,         // the command line is wrong
    kUnreached = 3,     // the peer could not be reached, or did not prove its key
    kNotAllowed = 4,    // the peer refuses this key, or has too many connections
    kLost = 5,          // the connection ended before the command was through
    kDeadline = 6,      // a deadline passed
    kStatus = 7,        // the peer answered with an error
    kKey = 8,           // a key, a key file or a network text cannot be used
    kInterrupted = 130  // by SIGINT or SIGTERM, before the command was through
};

Exit exit_for(sw_result result);

// What writes JSON lines from here on, in place of stdio; null: that again. When it fails it says so by output_failed.
void write_lines_by(std::function<bool(std::string_view)> write);
// Standard output could not be written past stdio, for this errno: main fails by it, whatever the command returns.
void output_failed(int error);
int output_error();  // 0: it could be written

// One object on one line of standard output.
class Json {
public:
    Json& text(std::string_view name, std::string_view value);  // bytes that are no UTF-8 become U+FFFD
    Json& number(std::string_view name, int64_t value);
    Json& flag(std::string_view name, bool value);
    // "body" when it is UTF-8, else "body_base64".
    Json& body(std::string_view value, uint32_t type);
    void print() const;
    std::string line() const { return out_ + "}\n"; }

private:
    void name(std::string_view name);
    std::string out_ = "{";
};

// A failure with a result of the library; what is not said in `text`, `hint` and `exit` follows from that.
struct Failure {
    sw_result result;
    std::string_view detail{}, where{};
    uint32_t code = 0;  // of the peer, as are its words
    std::string_view words{};
    std::string_view hint{};
    std::string_view text{};
    std::optional<Exit> exit{};
};
// Says it in words on standard error, or with `json` as an object {"event":"error",...} on standard output. Returns the exit code.
int explain(const Failure& failure, bool json);
// Likewise, of what is the tool's own and no error of the library: `name` stands for it in JSON.
int explain_own(Exit exit, const char* name, std::string_view text, std::string_view hint, bool json);
int explain_interrupt(bool json);
int explain_usage(std::string_view what, std::string_view command);

// ": " and what the system calls that errno; 0: nothing.
std::string system_words(int error);
bool is_utf8(std::string_view bytes);
const char* body_type_name(uint32_t type);
std::string milliseconds(uint64_t microseconds);  // "0.123"
// "1 message", "2 messages".
std::string messages(uint64_t count);
// The first 8 characters of an id: enough to tell peers apart in a log.
std::string short_id(const sealwire::peer_id& id);
// A body in one printable line, cut at `most` bytes.
std::string printable(std::string_view body, size_t most = 200);

}  // namespace tool
