// Files of one folder by the path of a URL, and nothing outside of it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace sealwire {

// Regular, opened, and read by whoever holds it; one thread at a time. Blocks.
class WebFile {
public:
    WebFile(int descriptor, uint64_t bytes, std::string content_type, std::string version)
        : size(bytes), type(std::move(content_type)), tag(std::move(version)), descriptor_(descriptor) {}
    ~WebFile();
    WebFile(const WebFile&) = delete;
    WebFile& operator=(const WebFile&) = delete;
    // The next bytes; 0 at the end, and when it cannot be read or has become shorter.
    size_t read(MutableBytes into);

    const uint64_t size;
    const std::string type;  // of its content, by its name
    const std::string tag;   // changes when the file does: "size-time"

private:
    const int descriptor_;
    uint64_t offset_ = 0;
};

// `path` as it came, percent-encoded: each component is decoded by itself, and no component may be empty, begin with a dot, or hold
// a slash, a backslash, a zero byte or another control character. No link is followed, wherever it leads. A path that ends with a
// slash means index.html there. not_found for whatever is not there or not to be had; file_type for a folder whose path
// lacks its slash. Blocks.
Result<std::unique_ptr<WebFile>> open_web_file(const std::string& folder, std::string_view path);

// "text/html; charset=utf-8", by what follows the last dot.
std::string_view web_type_of(std::string_view name);

}  // namespace sealwire
