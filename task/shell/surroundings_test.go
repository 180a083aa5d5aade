//go:build unix

package shell

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestEnvironment(t *testing.T) {
	t.Setenv("JOBCENTER_ADMIN_PASSWORD", "secret-1")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret-2")
	t.Setenv("LD_PRELOAD_NOT", "secret-3")
	task := newTask(t, Options{})
	a := newRun(map[string]any{
		"command":     "env | LC_ALL=C sort",
		"environment": map[string]string{"GREETING": "grüß\ngott", "LANG": "C"},
	})
	if err := task.Run(t.Context(), a.run); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"GREETING=grüß", "HOME=" + task.user.HomeDir, "JOBCENTER_ATTEMPT=3",
		"JOBCENTER_FIRE_TIME=2026-11-06T15:30:05Z", "JOBCENTER_JOB_ID=job-1",
		"JOBCENTER_RUN_ID=" + a.run.Run.ID, "LANG=C", "LOGNAME=" + task.user.Username,
		"PATH=" + DefaultPath, "PWD=" + filepath.Join(task.opts.Dir, workFolder, a.run.Run.ID),
		"SHELL=/bin/sh", "USER=" + task.user.Username, "gott",
	}
	got := strings.Split(strings.TrimSpace(a.out.String()), "\n")
	got = removeString(got, "OLDPWD=") // some shells add it
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
}

func removeString(list []string, prefix string) []string {
	var kept []string
	for _, s := range list {
		if !strings.HasPrefix(s, prefix) {
			kept = append(kept, s)
		}
	}
	return kept
}

func TestPath(t *testing.T) {
	t.Parallel()
	a := newRun(command(`echo "$PATH"`))
	if err := newTask(t, Options{Path: "/opt/bin:/bin"}).Run(t.Context(), a.run); err != nil {
		t.Fatal(err)
	}
	if got, want := a.out.String(), "/opt/bin:/bin\n"; got != want {
		t.Errorf("PATH = %q, want %q", got, want)
	}
}

func TestNoInheritedFiles(t *testing.T) {
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		t.Skip("needs /proc")
	}
	// A file that something opened without close-on-exec.
	fd, err := syscall.Open("/etc/passwd", syscall.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Close(fd) }()
	a := newRun(command("exec ls -l /proc/self/fd"))
	if err := newTask(t, Options{}).Run(t.Context(), a.run); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(a.out.String()) {
		if _, link, ok := strings.Cut(line, " -> "); ok {
			got = append(got, regexp.MustCompile(`\d+`).ReplaceAllString(strings.TrimSpace(link), "N"))
		}
	}
	// The last is the folder that ls itself is reading.
	if diff := cmp.Diff([]string{"/dev/null", "pipe:[N]", "pipe:[N]", "/proc/N/fd"}, got); diff != "" {
		t.Errorf("open files (-want +got):\n%s", diff)
	}
}

func TestWorkingFolder(t *testing.T) {
	t.Parallel()
	task := newTask(t, Options{})
	a := newRun(command("pwd; ls -A; mkdir -p a/b; echo x >a/b/c; ln -s / root; chmod 0 a/b; stat -c %a ."))
	own := filepath.Join(task.opts.Dir, workFolder, a.run.Run.ID)
	// What an attempt that was killed may have left.
	if err := os.MkdirAll(filepath.Join(own, "old"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := task.Run(t.Context(), a.run); err != nil {
		t.Fatal(err)
	}
	if got, want := a.out.String(), own+"\n700\n"; got != want {
		t.Errorf("output = %q, want %q", got, want)
	}
	for _, folder := range []string{workFolder, processFolder} {
		if left, err := os.ReadDir(filepath.Join(task.opts.Dir, folder)); err != nil || len(left) > 0 {
			t.Errorf("left in %s: %v %v, want nothing", folder, left, err)
		}
	}

	dir := t.TempDir()
	a = newRun(map[string]any{"command": "pwd; echo x >kept", "directory": dir})
	if err := task.Run(t.Context(), a.run); err != nil {
		t.Fatal(err)
	}
	if got := a.out.String(); got != dir+"\n" {
		t.Errorf("output = %q, want %q", got, dir)
	}
	if _, err := os.Stat(filepath.Join(dir, "kept")); err != nil {
		t.Errorf("the job's own folder was not kept: %v", err)
	}
}

// A command may take away its own right to empty a folder. Only root can
// remove that all the same.
func TestWorkingFolderWithoutRights(t *testing.T) {
	t.Parallel()
	task := newTask(t, Options{})
	a := newRun(command("mkdir -p a/b; chmod 500 a"))
	if err := task.Run(t.Context(), a.run); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(filepath.Join(task.opts.Dir, workFolder)); err != nil || len(left) > 0 {
		t.Errorf("left: %v %v, want nothing", left, err)
	}
}

func TestOutputIsUntouched(t *testing.T) {
	t.Parallel()
	every := make([]byte, 0, 70_000)
	for i := range cap(every) {
		every = append(every, byte(i)^byte(i>>8))
	}
	file := filepath.Join(t.TempDir(), "bytes")
	if err := os.WriteFile(file, every, 0o600); err != nil {
		t.Fatal(err)
	}
	a := newRun(command("cat " + file + "; cat " + file + " " + file + " >&2"))
	if err := newTask(t, Options{}).Run(t.Context(), a.run); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.out.data.Bytes(), every) {
		t.Error("stdout differs")
	}
	if !bytes.Equal(a.errOut.data.Bytes(), append(every, every...)) {
		t.Error("stderr differs")
	}
}

func TestOutputComesAsItIsWritten(t *testing.T) {
	t.Parallel()
	gate := filepath.Join(t.TempDir(), "gate")
	if err := syscall.Mkfifo(gate, 0o600); err != nil {
		t.Fatal(err)
	}
	a := begin(t, newTask(t, Options{}), command("echo first; read x <"+gate+"; echo $x"))
	if got := a.out.line(t); got != "first" {
		t.Fatalf("output = %q, want first", got)
	}
	if err := os.WriteFile(gate, []byte("second\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := a.ended(t); err != nil {
		t.Fatal(err)
	}
	if got, want := a.out.String(), "first\nsecond\n"; got != want {
		t.Errorf("output = %q, want %q", got, want)
	}
}

// slow is a reader of output that is not ready before the gate opens.
type slow struct {
	gate <-chan time.Time
	buffer
}

func (s *slow) Write(p []byte) (int, error) {
	<-s.gate
	return s.buffer.Write(p)
}

// The output of a shell that has exited is not lost, and not taken for that
// of a process in the background, because the store is slow.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	a := newRun(command("head -c 60000 /dev/zero"))
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	out := &slow{gate: tick.C}
	a.run.Stdout = out
	if err := newTask(t, Options{OutputGrace: time.Millisecond}).Run(t.Context(), a.run); err != nil {
		t.Fatal(err)
	}
	if got := out.data.Len(); got != 60000 {
		t.Errorf("%d bytes, want 60000", got)
	}
}

// broken takes some bytes, then no more.
type broken struct{ left int }

func (b *broken) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, errors.New("store is full")
	}
	return len(p), nil
}

func TestReaderFails(t *testing.T) {
	t.Parallel()
	a := newRun(command("head -c 1000000 /dev/zero; echo done >&2; exit 4"))
	a.run.Stdout = &broken{left: 1000}
	err := newTask(t, Options{}).Run(t.Context(), a.run)
	if got, want := fmt.Sprint(err), "exit code 4\noutput was lost: store is full"; got != want {
		t.Errorf("error = %q, want %q", got, want)
	}
	if got := a.errOut.String(); got != "done\n" {
		t.Errorf("stderr = %q, want done: the command was to go on", got)
	}
}

func TestMuchOutput(t *testing.T) {
	t.Parallel()
	const size = 50 << 20
	hash := sha256.New()
	a := newRun(command(fmt.Sprintf("yes 0123456789abcdef | head -c %d", size)))
	count := &counter{to: hash}
	a.run.Stdout = count
	began := time.Now()
	if err := newTask(t, Options{}).Run(t.Context(), a.run); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d MiB in %v", size>>20, time.Since(began))
	want := sha256.New()
	if _, err := io.CopyN(want, &repeat{text: "0123456789abcdef\n"}, size); err != nil {
		t.Fatal(err)
	}
	if count.n != size || !bytes.Equal(hash.Sum(nil), want.Sum(nil)) {
		t.Errorf("%d bytes came, and not the right ones; want %d", count.n, size)
	}
}

type counter struct {
	to io.Writer
	n  int
}

func (c *counter) Write(p []byte) (int, error) {
	c.n += len(p)
	return c.to.Write(p)
}

type repeat struct {
	text string
	at   int
}

func (r *repeat) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = r.text[r.at]
		r.at = (r.at + 1) % len(r.text)
	}
	return len(p), nil
}

func BenchmarkTrue(b *testing.B) {
	task, err := New(Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := task.Run(b.Context(), newRun(command("true")).run); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "runs/s")
}

// BenchmarkBare is what the machine can do: the same command without a folder,
// a record or an environment.
func BenchmarkBare(b *testing.B) {
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			cmd := exec.CommandContext(b.Context(), "/bin/sh", "-c", "true")
			var out, errOut bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &errOut
			if err := cmd.Run(); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "runs/s")
}
