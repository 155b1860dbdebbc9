// The body of a message, from the command line.
#include "body.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "output.h"

namespace tool {

const Option kTypeOption{"--type", "TYPE",
                         "what the body is: json, text, bytes, messagepack, cbor (text, if it is UTF-8)"};

namespace {

std::string read_all(std::FILE* file, const std::string& name) {
    std::string out;
    char part[65536];
    size_t got;
    while ((got = std::fread(part, 1, sizeof part, file)) > 0) out.append(part, got);
    if (std::ferror(file)) throw sealwire::error(SW_ERR_SYSTEM, name + ": " + std::strerror(errno));
    return out;
}

sw_body_type type_named(const std::string& name) {
    for (uint32_t type = SW_BODY_BYTES; type <= SW_BODY_CBOR; ++type) {
        if (name == body_type_name(type)) return static_cast<sw_body_type>(type);
    }
    throw UsageError("there is no type '" + name + "': json, text, bytes, messagepack or cbor");
}

}  // namespace

sw_body_type type_of(const Arguments& arguments, std::string_view bytes) {
    if (arguments.has("--type")) return type_named(arguments.value("--type"));
    return is_utf8(bytes) ? SW_BODY_UTF8 : SW_BODY_BYTES;
}

const std::string& route_of(const Arguments& arguments, size_t n) {
    constexpr size_t kMost = 255;
    const std::string& route = arguments.need(n, "route");
    if (!route.empty() && route.size() <= kMost && is_utf8(route)) return route;
    throw UsageError("a route is 1 to " + std::to_string(kMost) + " bytes of UTF-8");
}

Body::Body(const Arguments& arguments, size_t n) {
    if (n < arguments.positional().size()) bytes = arguments.positional()[n];
    if (bytes == "-") {
        bytes = read_all(stdin, "standard input");
    } else if (bytes.compare(0, 2, "@@") == 0) {
        bytes.erase(0, 1);
    } else if (!bytes.empty() && bytes[0] == '@') {
        const std::string path = bytes.substr(1);
        const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
        if (!file) throw UsageError("the file " + path + " cannot be read: " + std::strerror(errno));
        bytes = read_all(file.get(), path);
    }
    type = type_of(arguments, bytes);
}

}  // namespace tool
