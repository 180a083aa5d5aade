//go:build !unix

package sqlkit

import "net"

// closedByPeer cannot be told here without waiting.
func closedByPeer(net.Conn) bool { return false }
