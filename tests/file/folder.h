// A folder of its own for a test, system calls that fail on request, and what lies on the disk.
#pragma once

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace sealwire::test {

class Folder {
public:
    Folder() {
        const char* base = std::getenv("TMPDIR");
        path_ = std::string(base ? base : "/tmp") + "/sealwire-file-XXXXXX";
        if (!mkdtemp(path_.data())) std::perror("mkdtemp");
    }
    ~Folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    const std::string& path() const { return path_; }
    std::string of(const std::string& name) const { return path_ + "/" + name; }
    std::string make(const std::string& name, const std::string& content) const {
        std::ofstream(of(name), std::ios::binary) << content;
        return of(name);
    }
    std::string content(const std::string& name) const {
        std::ifstream in(of(name), std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    std::vector<std::string> names() const {
        std::vector<std::string> all;
        DIR* dir = opendir(path_.c_str());
        while (const dirent* entry = dir ? readdir(dir) : nullptr) {
            const std::string name = entry->d_name;
            if (name != "." && name != "..") all.push_back(name);
        }
        if (dir) closedir(dir);
        return all;
    }

private:
    std::string path_;
};

// The calls of lib/file are counted from 1; the `at`-th fails with `error`, the others pass. With `every`, all from there on.
struct Faults {
    static void arm(unsigned at, int error, bool every = false);
    static unsigned disarm();  // how many calls were made
    // Each writev takes at most that many bytes; 0: all.
    static void shorten(size_t bytes);
};

}  // namespace sealwire::test
