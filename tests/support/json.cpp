// A small JSON reader for vector files.
#include "support/json.h"

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace sealwire::test {

class JsonParser {
public:
    explicit JsonParser(std::string_view text) : text_(text) {}

    Json document() {
        Json value = this->value(0);
        skip_space();
        if (at_ != text_.size()) bad();
        return value;
    }

private:
    [[noreturn]] void bad() const {
        throw std::runtime_error("JSON: unexpected byte at offset " + std::to_string(at_));
    }
    void skip_space() {
        while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) ++at_;
    }
    char peek() {
        skip_space();
        if (at_ == text_.size()) bad();
        return text_[at_];
    }
    bool accept(char c) {
        if (peek() != c) return false;
        ++at_;
        return true;
    }
    void expect(char c) {
        if (!accept(c)) bad();
    }
    void word(std::string_view word) {
        if (text_.substr(at_, word.size()) != word) bad();
        at_ += word.size();
    }

    Json value(int depth) {
        if (depth > 32) bad();
        Json json;
        switch (peek()) {
            case '{':
                json.kind_ = Json::Kind::object;
                ++at_;
                if (accept('}')) return json;
                do {
                    if (peek() != '"') bad();
                    std::string key = text();
                    expect(':');
                    json.members_[key] = value(depth + 1);
                } while (accept(','));
                expect('}');
                return json;
            case '[':
                json.kind_ = Json::Kind::list;
                ++at_;
                if (accept(']')) return json;
                do json.list_.push_back(value(depth + 1));
                while (accept(','));
                expect(']');
                return json;
            case '"':
                json.kind_ = Json::Kind::text;
                json.text_ = text();
                return json;
            case 't':
            case 'f':
                json.kind_ = Json::Kind::boolean;
                json.boolean_ = text_[at_] == 't';
                word(json.boolean_ ? "true" : "false");
                return json;
            case 'n': word("null"); return json;
            default: break;
        }
        json.kind_ = Json::Kind::number;
        while (at_ < text_.size() && std::string_view("+-0123456789.eE").find(text_[at_]) != std::string_view::npos)
            json.text_ += text_[at_++];
        if (json.text_.empty()) bad();
        return json;
    }

    std::string text() {
        std::string out;
        for (++at_; at_ < text_.size(); ++at_) {
            const char c = text_[at_];
            if (c == '"') return ++at_, out;
            if (c != '\\') {
                out += c;
                continue;
            }
            if (++at_ == text_.size()) bad();
            switch (text_[at_]) {
                case 'n': out += '\n'; break;
                case 't': out += '\t'; break;
                case 'u':  // vector files hold keys and hex in ASCII; other letters stand in comments only
                    if (at_ + 4 >= text_.size()) bad();
                    out += '?';
                    at_ += 4;
                    break;
                default: out += text_[at_];
            }
        }
        bad();
    }

    std::string_view text_;
    size_t at_ = 0;
};

Json Json::parse(std::string_view text) { return JsonParser(text).document(); }

const Json& Json::operator[](const std::string& key) const {
    const auto found = members_.find(key);
    if (found == members_.end()) throw std::runtime_error("JSON: no member " + key);
    return found->second;
}

const std::vector<Json>& Json::list() const {
    if (kind_ != Kind::list) throw std::runtime_error("JSON: not a list");
    return list_;
}

const std::string& Json::text() const {
    if (kind_ != Kind::text) throw std::runtime_error("JSON: not a text");
    return text_;
}

uint64_t Json::number() const {
    if (kind_ != Kind::number) throw std::runtime_error("JSON: not a number");
    return std::strtoull(text_.c_str(), nullptr, 10);
}

bool Json::boolean() const {
    if (kind_ != Kind::boolean) throw std::runtime_error("JSON: not a boolean");
    return boolean_;
}

std::vector<uint8_t> Json::bytes() const { return from_hex(text()); }

std::vector<uint8_t> from_hex(std::string_view text) {
    const auto digit = [](char c) -> unsigned {
        if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
        if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
        throw std::runtime_error("not a hexadecimal digit");
    };
    if (text.size() % 2 != 0) throw std::runtime_error("odd number of hexadecimal digits");
    std::vector<uint8_t> out(text.size() / 2);
    for (size_t i = 0; i < out.size(); ++i)
        out[i] = static_cast<uint8_t>(digit(text[2 * i]) * 16 + digit(text[2 * i + 1]));
    return out;
}

std::string to_hex(const uint8_t* data, size_t size) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string out;
    out.reserve(2 * size);
    for (size_t i = 0; i < size; ++i) {
        out += kDigits[data[i] >> 4];
        out += kDigits[data[i] & 15];
    }
    return out;
}

std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error("cannot read " + path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

std::string vector_path(const std::string& name) { return std::string(SEALWIRE_VECTORS) + "/" + name; }

Json load_vectors(const std::string& name) { return Json::parse(read_file(vector_path(name))); }

}  // namespace sealwire::test
