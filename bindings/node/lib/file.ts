// File: an OutStream with a name and a hash, from a path, bytes or a stream.
import { argumentError, errorOf, FileError } from './errors.js'
import { native, type NativeFile, type NativeHead } from './native.js'
import type { Source } from './outparts.js'
import { OutStream, STEP, type OutStreamOptions, type Progress } from './part.js'

export interface FileOptions {
  /** For the receiver; of a path it is the last component, if none is given. */
  name?: string
  /** Called after each MiB. */
  progress?: Progress
}

/**
 * A file to send, in the `parts` of a message or answer, with the BLAKE2b-256 of its bytes: what `part.save()` compares. One that
 * is constructed is written by hand, as any OutStream.
 */
export class File extends OutStream {
  /** @internal What its bytes come from. */
  source: Source | undefined
  /** @internal Hears that the file could not be sent, unless the peer stopped it. */
  failed: ((error: Error) => void) | undefined
  private opened: NativeFile | undefined

  constructor(options: Omit<OutStreamOptions, 'kind'> = {}) {
    super({ ...options, kind: 'file' })
  }

  /**
   * A regular file, which is opened now, and read and hashed by the library beside the event loop. It has to stay as it is until
   * it was sent, else it ends with `file_changed`.
   */
  static async fromPath(path: string, options: FileOptions = {}): Promise<File> {
    if (typeof path !== 'string') throw argumentError('path is not a string')
    const [opened, name, size] = await native.openFile(path, options.name ?? '', STEP)
    if (typeof opened === 'number') throw errorOf(opened, { detail: name })
    const file = new File({ ...options, name, size: size! })
    file.opened = opened
    return file
  }

  static fromBytes(data: Uint8Array | ArrayBuffer | string, name: string, options: FileOptions = {}): File {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data instanceof ArrayBuffer ? new Uint8Array(data) : data
    if (!(bytes instanceof Uint8Array)) throw argumentError('data is no bytes and no text')
    const file = new File({ ...options, name, size: bytes.length })
    file.source = bytes
    return file
  }

  /** Of a Readable, a Web ReadableStream, a generator, an array, or a Part that is passed on. */
  static fromStream(source: Source, name: string, options: FileOptions & { size?: number } = {}): File {
    const file = new File({ ...options, name })
    file.source = source
    return file
  }

  /** @internal */
  override get head(): NativeHead {
    return [this.name, this.size ?? -1, 1, 0, this.opened]
  }

  override _write(chunk: Buffer, encoding: string, callback: (error?: Error | null) => void): void {
    if (this.opened) callback(errorOf(4, { detail: 'the library itself sends this file' }))
    else super._write(chunk, encoding, callback)
  }

  /** @internal */
  protected override wasSent(): void {
    if (!this.opened) return
    this.sent = this.size!
    this.destroy()
  }

  /** @internal */
  override onEnded(result: number, code: number, more: Uint8Array | string | undefined): void {
    super.onEnded(result, code, more)
    if (this.opened && this.stopped instanceof FileError) this.failed?.(this.stopped)
  }
}
