// Reads a command line.
#include "options.h"

#include <charconv>
#include <cstdlib>

namespace tool {

Arguments::Arguments(const std::vector<Option>& known, const std::vector<std::string>& words) {
    bool options_over = false;
    for (size_t i = 0; i < words.size(); ++i) {
        const std::string& word = words[i];
        if (options_over || word.size() < 2 || word[0] != '-') {  // a lone - is standard input
            positional_.push_back(word);
            continue;
        }
        if (word == "--") {
            options_over = true;
            continue;
        }
        const size_t equals = word.find('=');
        const std::string name = word.substr(0, equals);
        const Option* option = nullptr;
        for (const Option& candidate : known) {
            if (candidate.name == name) option = &candidate;
        }
        if (!option)
            throw UsageError("there is no option " + name +
                             " here; write -- before what begins with a minus and is none");
        std::string value;
        if (option->value.empty()) {
            if (equals != std::string::npos) throw UsageError(name + " takes no value");
        } else if (equals != std::string::npos) {
            value = word.substr(equals + 1);
        } else if (++i < words.size()) {
            value = words[i];
        } else {
            throw UsageError(name + " needs a value: " + name + " " + std::string(option->value));
        }
        values_[name].push_back(value);
    }
}

const std::string& Arguments::need(size_t n, std::string_view what) const {
    if (n < positional_.size()) return positional_[n];
    throw UsageError("the " + std::string(what) + " is missing");
}

void Arguments::at_most(size_t n) const {
    if (positional_.size() > n) throw UsageError("'" + positional_[n] + "' is one argument too many");
}

std::string Arguments::value(std::string_view option, std::string_view otherwise) const {
    const auto found = values_.find(std::string(option));
    return found == values_.end() ? std::string(otherwise) : found->second.back();
}

const std::vector<std::string>& Arguments::all(std::string_view option) const {
    static const std::vector<std::string> none;
    const auto found = values_.find(std::string(option));
    return found == values_.end() ? none : found->second;
}

uint32_t Arguments::number(std::string_view option, uint32_t otherwise, uint32_t most, uint32_t least) const {
    if (!has(option)) return otherwise;
    const std::string text = value(option);
    uint32_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc() && end == text.data() + text.size() && number >= least && number <= most) {
        return number;
    }
    throw UsageError(std::string(option) + " takes a number from " + std::to_string(least) + " to " +
                     std::to_string(most) + ", not '" + text + "'");
}

uint32_t Arguments::duration_ms(std::string_view option, uint32_t otherwise) const {
    if (!has(option)) return otherwise;
    const std::string text = value(option);
    double seconds = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (error == std::errc() && end == text.data() + text.size() && seconds >= 0.001 && seconds <= 1e6) {
        return static_cast<uint32_t>(seconds * 1000);
    }
    throw UsageError(std::string(option) + " takes seconds, for example 2.5, not '" + text + "'");
}

}  // namespace tool
