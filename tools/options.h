// Reads a command line: which options a command has, and what was given.
#pragma once

#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace tool {

struct Option {
    std::string_view name;   // "--key"
    std::string_view value;  // "FILE", or empty for a switch
    std::string_view help;
};

// The command line is wrong; what() says what and how to write it.
class UsageError : public std::runtime_error {
public:
    using runtime_error::runtime_error;
};

class Arguments {
public:
    // Takes options anywhere, `--name value` or `--name=value`; what follows `--` is no option.
    Arguments(const std::vector<Option>& known, const std::vector<std::string>& words);

    const std::vector<std::string>& positional() const { return positional_; }
    // The n-th positional, or a UsageError that names what is missing.
    const std::string& need(size_t n, std::string_view what) const;
    void at_most(size_t n) const;

    bool has(std::string_view option) const { return values_.count(std::string(option)) != 0; }
    std::string value(std::string_view option, std::string_view otherwise = {}) const;
    const std::vector<std::string>& all(std::string_view option) const;
    uint32_t number(std::string_view option, uint32_t otherwise, uint32_t most, uint32_t least = 1) const;
    // Seconds, with decimals, as milliseconds; `otherwise` when not given.
    uint32_t duration_ms(std::string_view option, uint32_t otherwise) const;
    bool json() const { return has("--json"); }

private:
    std::vector<std::string> positional_;
    std::map<std::string, std::vector<std::string>> values_;
};

}  // namespace tool
