/// How a program of this package ends, by sysexits(3).
///
/// The daemon retries `ioError` and `temporaryFailure` and no others.
public enum ExitStatus: Int32, Sendable, CaseIterable {
  /// Everything that was asked for stands under its final name.
  case success = 0
  /// The command line is wrong.
  case usage = 64
  /// An input is malformed.
  case dataError = 65
  /// An input does not exist or cannot be opened.
  case noInput = 66
  /// Something the program depends on is missing: a library, a processor feature, memory.
  case unavailable = 69
  /// A defect of this package.
  case software = 70
  /// The output cannot be created, or stands there already and was made from something else.
  case cannotCreate = 73
  /// Reading or writing failed.
  case ioError = 74
  /// Stopped or short of a resource for now: the same command continues later.
  case temporaryFailure = 75
  /// A configuration file is wrong.
  case configuration = 78
}
