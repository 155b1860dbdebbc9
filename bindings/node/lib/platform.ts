// What this platform is called in prebuilds/ and in the names of the platform packages.

/** `linux-x64-glibc`: the name of the folder in prebuilds/ and the end of the platform package's name. */
export function platformName(): string {
  const name = `${process.platform}-${process.arch}`
  return process.platform === 'linux' ? `${name}-${usesGlibc() ? 'glibc' : 'musl'}` : name
}

function usesGlibc(): boolean {
  const report = process.report as NodeJS.ProcessReport & { excludeNetwork?: boolean }
  const before = report.excludeNetwork
  report.excludeNetwork = true // else the report resolves the names of all sockets
  try {
    const { header } = report.getReport() as { header?: { glibcVersionRuntime?: string } }
    return header?.glibcVersionRuntime !== undefined
  } finally {
    report.excludeNetwork = before ?? false
  }
}
