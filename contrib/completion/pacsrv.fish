# fish completion for pacsrv.  Made by 'make man': edit its sources, not this file.
# Install it in /usr/share/fish/vendor_completions.d.

function __fish_pacsrv_at
    set -l words (commandline -opc)
    set -e words[1]
    while string match -qr -- '^(--port)(=|$)' "$words[1]"
        contains -- $words[1] --port; and set -e words[1]
        set -q words[1]; and set -e words[1]
    end
    test "$words[1]" = "$argv[1]"
end

# Everything that is not below is passed on to pacman, so pacman's completion completes it.
complete -c pacsrv -w pacman
complete -c pacsrv -n "__fish_pacsrv_at ''" -l port -x -d 'the port on which pacserve listens on localhost'
complete -c pacsrv -n "__fish_pacsrv_at ''" -l help -d 'show this help and exit'
complete -c pacsrv -n "__fish_pacsrv_at ''" -l version -d 'show the version and exit'
complete -c pacsrv -n "__fish_pacsrv_at ''" -f -a status -d 'show this host, its peers and mirrors, the traffic that was saved, and the running downloads'
complete -c pacsrv -n '__fish_pacsrv_at status' -l json -d 'print JSON, for programs'
complete -c pacsrv -n '__fish_pacsrv_at status' -l port -x -d 'the port on which pacserve listens on localhost'
complete -c pacsrv -n '__fish_pacsrv_at status' -l help -d 'show this help and exit'
complete -c pacsrv -n '__fish_pacsrv_at status' -l watch -d 'refresh it until Ctrl-C (every 1 s, or as given)'
complete -c pacsrv -n "__fish_pacsrv_at ''" -f -a why -d 'explain where a file or package would come from now, why not from other places, and where it came from last time'
complete -c pacsrv -n '__fish_pacsrv_at why' -l json -d 'print JSON, for programs'
complete -c pacsrv -n '__fish_pacsrv_at why' -l port -x -d 'the port on which pacserve listens on localhost'
complete -c pacsrv -n '__fish_pacsrv_at why' -l help -d 'show this help and exit'
complete -c pacsrv -n "__fish_pacsrv_at ''" -f -a doctor -d 'look for common problems and say how to fix each; exit status 1 if something is wrong'
complete -c pacsrv -n '__fish_pacsrv_at doctor' -l json -d 'print JSON, for programs'
complete -c pacsrv -n '__fish_pacsrv_at doctor' -l port -x -d 'the port on which pacserve listens on localhost'
complete -c pacsrv -n '__fish_pacsrv_at doctor' -l help -d 'show this help and exit'
complete -c pacsrv -n "__fish_pacsrv_at ''" -f -a setup -d 'make pacserve the first Server in pacman.conf and its mirrorlists, with --apt the proxy of apt, start its service and open the firewall; show the changes and ask before each'
complete -c pacsrv -n '__fish_pacsrv_at setup' -l port -x -d 'the port on which pacserve listens on localhost'
complete -c pacsrv -n '__fish_pacsrv_at setup' -l help -d 'show this help and exit'
complete -c pacsrv -n '__fish_pacsrv_at setup' -l apt -d 'have apt ask pacserve, too'
complete -c pacsrv -n '__fish_pacsrv_at setup' -l undo -d 'take back what setup did, and nothing else'
complete -c pacsrv -n '__fish_pacsrv_at setup' -l dry-run -d 'show what would be done, and change nothing'
complete -c pacsrv -n '__fish_pacsrv_at setup' -l yes -d 'do not ask, for scripts'
complete -c pacsrv -n '__fish_pacsrv_at setup' -l skip -x -a 'configuration apt service firewall' -d 'leave out a part: configuration, apt, service, firewall (repeatable)'
complete -c pacsrv -n '__fish_pacsrv_at setup' -l config -r -F -d 'pacman\'s configuration'
