// A small JSON reader for vector files: whole documents in memory, errors as exceptions, no writing.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sealwire::test {

class Json {
public:
    static Json parse(std::string_view text);

    bool is_null() const { return kind_ == Kind::null; }
    bool is_object() const { return kind_ == Kind::object; }
    bool has(const std::string& key) const { return members_.count(key) != 0; }
    // A missing member, a wrong kind: throws std::runtime_error.
    const Json& operator[](const std::string& key) const;
    const std::vector<Json>& list() const;
    const std::string& text() const;
    uint64_t number() const;  // of whole numbers
    bool boolean() const;
    // Hexadecimal text as bytes.
    std::vector<uint8_t> bytes() const;

private:
    enum class Kind : uint8_t { null, boolean, number, text, list, object };
    friend class JsonParser;

    Kind kind_ = Kind::null;
    bool boolean_ = false;
    std::string text_;  // also a number as written
    std::vector<Json> list_;
    std::map<std::string, Json> members_;
};

std::vector<uint8_t> from_hex(std::string_view text);
std::string to_hex(const uint8_t* data, size_t size);

// tests/vectors/<name>, parsed.
Json load_vectors(const std::string& name);
std::string read_file(const std::string& path);
std::string vector_path(const std::string& name);

}  // namespace sealwire::test
