// Files of our own known answers: written in one layout, and compared with what the code makes now.
#pragma once

#include <doctest.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "support/json.h"

namespace sealwire::test {

// A flat list of objects whose values are texts and numbers; enough to write our files, in a fixed layout.
class Object {
public:
    Object& text(const std::string& name, const std::string& value) { return raw(name, "\"" + value + "\""); }
    Object& hex(const std::string& name, Bytes value) { return text(name, to_hex(value.data(), value.size())); }
    Object& number(const std::string& name, uint64_t value) { return raw(name, std::to_string(value)); }
    Object& raw(const std::string& name, const std::string& value) {
        body_ += (body_.empty() ? "" : ",") + std::string("\n      \"") + name + "\": " + value;
        return *this;
    }
    std::string body() const { return "    {" + body_ + "\n    }"; }

private:
    std::string body_;
};

inline std::string document(const std::string& about, const std::vector<Object>& vectors) {
    std::string text = "{\n  \"about\": \"" + about + "\",\n  \"vectors\": [\n";
    for (size_t i = 0; i < vectors.size(); ++i) text += vectors[i].body() + (i + 1 < vectors.size() ? ",\n" : "\n");
    return text + "  ]\n}\n";
}

// Writes the file when asked to; then the file must be what the code makes now.
inline void settle(const std::string& name, const std::string& made) {
    if (std::getenv("SEALWIRE_WRITE_VECTORS") != nullptr) std::ofstream(vector_path(name), std::ios::binary) << made;
    const bool same = read_file(vector_path(name)) == made;
    CHECK(same);
}

}  // namespace sealwire::test
