// The rules for names that peers state; threats: path traversal, devices, names that look like others.
#include "file/file_name.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

namespace sealwire {

namespace {

constexpr size_t kMaxFileName = 255;

// The code point that starts at `at`, which is moved behind it; UINT32_MAX when it is not UTF-8.
uint32_t next_code_point(std::string_view text, size_t& at) {
    const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
    const uint8_t first = byte(at++);
    if (first < 0x80) return first;
    const int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    if (first < 0xc2 || first > 0xf4 || text.size() - at < static_cast<size_t>(more)) return UINT32_MAX;
    uint32_t point = first & (0x3fu >> more);
    for (int i = 0; i < more; ++i) {
        const uint8_t next = byte(at++);
        if ((next & 0xc0) != 0x80) return UINT32_MAX;
        point = point << 6 | (next & 0x3f);
    }
    const uint32_t least = more == 3 ? 0x10000 : more == 2 ? 0x800 : 0x80;
    const bool valid = point >= least && point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
    return valid ? point : UINT32_MAX;
}

// What stands for the control of text, and not for text.
bool is_control(uint32_t point) {
    const bool ascii = point < 0x20 || point == 0x7f;
    const bool latin = point >= 0x80 && point < 0xa0;
    const bool breaks = point == 0x2028 || point == 0x2029;
    const bool direction = (point >= 0x202a && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069) ||
                           point == 0x200e || point == 0x200f || point == 0x061c;
    return ascii || latin || breaks || direction;
}

// The part before the first dot, without spaces at its end, in capitals: what DOS looks at.
std::string device_part(std::string_view name) {
    std::string part(name.substr(0, name.find('.')));
    while (!part.empty() && part.back() == ' ') part.pop_back();
    for (char& c : part) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    return part;
}

bool is_device(std::string_view name) {
    static constexpr std::array<std::string_view, 6> kDevices = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"};
    static constexpr std::array<std::string_view, 3> kRaised = {"\xc2\xb9", "\xc2\xb2", "\xc2\xb3"};  // 1, 2, 3
    const std::string part = device_part(name);
    if (std::find(kDevices.begin(), kDevices.end(), part) != kDevices.end()) return true;
    if (!part.starts_with("COM") && !part.starts_with("LPT")) return false;
    const std::string_view number = std::string_view(part).substr(3);
    if (number.size() == 1) return number[0] >= '0' && number[0] <= '9';
    return std::find(kRaised.begin(), kRaised.end(), number) != kRaised.end();
}

}  // namespace

Result<void> check_file_name(std::string_view name) {
    const auto refused = [](const char* why) { return fail(Errc::file_name, why); };
    if (name.empty()) return refused("it is empty");
    if (name.size() > kMaxFileName) return refused("it is longer than 255 bytes");
    if (name.find_first_of("/\\:") != std::string_view::npos) return refused("it has a / or \\ or :");
    if (name == "." || name == "..") return refused("it stands for a folder");
    for (size_t at = 0; at < name.size();) {
        const uint32_t point = next_code_point(name, at);
        if (point == UINT32_MAX) return refused("it is not UTF-8");
        if (is_control(point)) return refused("it has a control character");
    }
    if (name.back() == '.' || name.back() == ' ') return refused("it ends with a dot or space");
    if (is_device(name)) return refused("it is the name of a device");
    return {};
}

}  // namespace sealwire
