import Files
import JobFolder

/// The script of a batch job: what the daemon does around a stage on this machine, done where Slurm runs it.
///
/// It holds the lock of the job's folder while the stage is at work, begins nothing that was taken back, hands a request to stop
/// on to the stage, and writes down how the stage ended. Slurm hears of that 0 or 1 alone: at sites that queue jobs again by
/// their exit status (RequeueExit of slurm.conf) 75 would make two of one.
struct BatchScript {
  /// The job's folder.
  let folder: String
  /// The attempt's task, and its folder's name.
  let task: String
  let attempt: String
  /// The input roots, as JSON.
  let roots: String
  /// The daemon's own `sidctl`.
  let control: String
  let limits: StepLimits

  /// What the script does.
  enum Kind {
    /// The whole step.
    case step
    /// A share of it, by a task of an array.
    case share
    /// What closes the step after its shares.
    case closing(removing: [String])
    /// The whole step by ranks.
    case ranks(cpus: Int?)
  }

  /// The text of the script.
  /// - Parameters:
  ///   - command: what it runs, as words of a shell.
  func text(_ kind: Kind, _ command: [String]) -> String {
    let quote = SlurmWork.quoted
    var number = ""
    var lock = "flock -w 60 4"
    var start = "SID_PARENT_PID=$$ \(command.joined(separator: " ")) 3>>\"$run/progress$n\""
    var finally = ""
    switch kind {
    case .step: break
    case .share:
      // All shares are at work in the folder, and nobody else.
      (number, lock) = ("-$SLURM_ARRAY_TASK_ID", "flock -s -w 60 4")
    case .closing(let files):
      number = "-close"
      if !files.isEmpty { finally = "[ \"$status\" != 0 ] || rm -f \(files.map(quote).joined(separator: " "))\n" }
    case .ranks(let cpus):
      let each = cpus.map { " --cpus-per-task=\($0)" } ?? ""
      // Where PMIx keeps the step's folder, the stage has to know: it leaves that open.
      start = "SLURM_PMIX_TMPDIR=/tmp srun --mpi=pmix --kill-on-bad-exit=1\(each) --input=none sh \"$run/rank\""
    }
    return """
      #!/bin/sh
      # \(task), written by sid-spoold.
      run=\(quote(attempt))
      n="\(number)"
      say() { echo "sid-slurm: $*" >&2; }
      # In one step, so that half of it is never read.
      ended() { echo "$1" >"$run/.end$n" && mv "$run/.end$n" "$run/end$n"; }
      leave() { say "$2"; ended "$1"; exit 1; }
      cd \(quote(folder)) || { say \(quote(folder)) "is not reached from $(uname -n); the spool has to lie on a disk that the nodes share"; exit 1; }
      exec 4<>\(quote(JobFolderNames.lock)) || { say \(quote(JobFolderNames.lock)) "cannot be opened"; exit 1; }
      \(lock)
      case $? in
      0) locked=yes ;;
      1) locked=no ;;
      *) locked=never ;;
      esac
      read -r wanted <"$run/task" 2>/dev/null || wanted=
      [ "$wanted" = \(quote(task)) ] || { say "this attempt was taken back; nothing is done"; exit 1; }
      [ $locked != no ] || leave 75 "\(JobFolderNames.lock): somebody else is at work in this folder"
      [ $locked != never ] || leave 78 "\(JobFolderNames.lock): this file system has no locks; the spool has to lie on one that has them on every node"
      echo "$SLURM_JOB_ID $(uname -n)" >"$run/begun$n"
      \(quote(control)) machine >>"$run/machines" 2>/dev/null
      \(environment)
      child=
      told=
      stop() { told=yes; [ -z "$child" ] || kill -USR1 "$child" 2>/dev/null; }
      trap stop TERM USR1 USR2 HUP INT XCPU
      \(start) </dev/null &
      child=$!
      [ -z "$told" ] || stop
      # A signal ends the wait and not the stage.
      while :; do
        wait "$child"
        status=$?
        kill -0 "$child" 2>/dev/null || break
      done
      \(finally)ended "$status"
      [ "$status" = 0 ]

      """
  }

  /// What a rank of a step runs, on whichever machine.
  func rank(_ command: [String]) -> String {
    """
    #!/bin/sh
    # Of one of the ranks of \(task). Only the first one reports.
    cd \(SlurmWork.quoted(folder)) || exit 75
    [ "$SLURM_LOCALID" != 0 ] || \(SlurmWork.quoted(control)) machine >>\(SlurmWork.quoted(attempt))/machines 2>/dev/null
    exec 3>>\(SlurmWork.quoted(attempt))/progress
    exec \(command.joined(separator: " "))

    """
  }

  private var environment: String {
    var lines = [
      "export LC_ALL=C.UTF-8 OPENBLAS_NUM_THREADS=1 SID_INPUT_ROOTS=\(SlurmWork.quoted(roots))", "ulimit -c 0",
    ]
    if let bytes = limits.memoryBytes {
      lines.append("ulimit -d \(max(1, bytes >> 10)) || leave 70 'its memory cannot be limited'")
    }
    return lines.joined(separator: "\n")
  }
}
