import CLinux
import Foundation

/// The signals by which people, shells, batch systems and limits ask a program to end: every one of them means "save what you
/// have and go".
public enum PoliteSignals {
  /// SIGTERM (service managers, Slurm), SIGINT (Ctrl-C), SIGHUP (the terminal is gone), SIGUSR1 and SIGUSR2 (batch systems
  /// shortly before the limit of time), SIGXCPU (`ulimit -t`).
  public static let all: [Int32] = [SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU]

  /// Those of them that this process does not ignore. To be asked at the start: what was ignored then, as by `nohup`, is to
  /// stay so.
  public static var heeded: [Int32] { all.filter { !isIgnored($0) } }

  /// Whether a signal does nothing to this process.
  public static func isIgnored(_ number: Int32) -> Bool { sid_is_ignored(number) != 0 }
}
