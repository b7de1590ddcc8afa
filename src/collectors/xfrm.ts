import { defineCollector } from '../core/collector.ts';
import { counter, type Family } from '../core/metric.ts';

export default defineCollector({
  name: 'xfrm',
  help: 'Exposes the packets that IPsec (the XFRM framework) could not transform.',
  enabled: false,
  reads: ['/proc/net/xfrm_stat'],
  flags: {},
  // The keys are the names in the file.
  metrics: {
    XfrmInError: counter('node_xfrm_in_error_packets_total', 'Inbound errors of no other kind.'),
    XfrmInBufferError: counter('node_xfrm_in_buffer_error_packets_total', 'Inbound packets without a buffer left.'),
    XfrmInHdrError: counter('node_xfrm_in_hdr_error_packets_total', 'Inbound packets with a wrong header.'),
    XfrmInNoStates: counter('node_xfrm_in_no_states_packets_total', 'Inbound packets for which no state was found.'),
    XfrmInStateProtoError: counter(
      'node_xfrm_in_state_proto_error_packets_total',
      "Inbound packets that the state's protocol refused, as by a wrong key.",
    ),
    XfrmInStateModeError: counter(
      'node_xfrm_in_state_mode_error_packets_total',
      "Inbound packets that the state's mode refused.",
    ),
    XfrmInStateSeqError: counter(
      'node_xfrm_in_state_seq_error_packets_total',
      'Inbound packets with a sequence number outside the window.',
    ),
    XfrmInStateExpired: counter('node_xfrm_in_state_expired_packets_total', 'Inbound packets whose state had expired.'),
    XfrmInStateMismatch: counter(
      'node_xfrm_in_state_mismatch_packets_total',
      'Inbound packets whose state does not fit the options given, as the type of UDP encapsulation.',
    ),
    XfrmInStateInvalid: counter('node_xfrm_in_state_invalid_packets_total', 'Inbound packets whose state is invalid.'),
    XfrmInTmplMismatch: counter(
      'node_xfrm_in_tmpl_mismatch_packets_total',
      'Inbound packets with states that fit no template.',
    ),
    XfrmInNoPols: counter('node_xfrm_in_no_pols_packets_total', 'Inbound packets with states but without a policy.'),
    XfrmInPolBlock: counter('node_xfrm_in_pol_block_packets_total', 'Inbound packets that a policy discards.'),
    XfrmInPolError: counter('node_xfrm_in_pol_error_packets_total', 'Inbound packets with an error in their policy.'),
    XfrmOutError: counter('node_xfrm_out_error_packets_total', 'Outbound errors of no other kind.'),
    XfrmOutBundleGenError: counter(
      'node_xfrm_out_bundle_gen_error_packets_total',
      'Outbound packets whose bundle could not be made.',
    ),
    XfrmOutBundleCheckError: counter(
      'node_xfrm_out_bundle_check_error_packets_total',
      'Outbound packets whose bundle did not pass the check.',
    ),
    XfrmOutNoStates: counter('node_xfrm_out_no_states_packets_total', 'Outbound packets for which no state was found.'),
    XfrmOutStateProtoError: counter(
      'node_xfrm_out_state_proto_error_packets_total',
      "Outbound packets that the state's protocol refused.",
    ),
    XfrmOutStateModeError: counter(
      'node_xfrm_out_state_mode_error_packets_total',
      "Outbound packets that the state's mode refused.",
    ),
    XfrmOutStateSeqError: counter(
      'node_xfrm_out_state_seq_error_packets_total',
      'Outbound packets for which no sequence number was left.',
    ),
    XfrmOutStateExpired: counter(
      'node_xfrm_out_state_expired_packets_total',
      'Outbound packets whose state had expired.',
    ),
    XfrmOutPolBlock: counter('node_xfrm_out_pol_block_packets_total', 'Outbound packets that a policy discards.'),
    XfrmOutPolDead: counter('node_xfrm_out_pol_dead_packets_total', 'Outbound packets whose policy is dead.'),
    XfrmOutPolError: counter(
      'node_xfrm_out_pol_error_packets_total',
      'Outbound packets with an error in their policy.',
    ),
    XfrmFwdHdrError: counter(
      'node_xfrm_fwd_hdr_error_packets_total',
      'Forwarded packets whose header was not reversed.',
    ),
    XfrmOutStateInvalid: counter(
      'node_xfrm_out_state_invalid_packets_total',
      'Outbound packets whose state is invalid, perhaps because it has expired.',
    ),
    XfrmAcquireError: counter(
      'node_xfrm_acquire_error_packets_total',
      'Packets dropped because their state was not yet negotiated in full.',
    ),
  },
  /** A name and a number on each line. https://docs.kernel.org/networking/xfrm_proc.html */
  setup({ proc }, metrics) {
    const families = new Map<string, Family<readonly []>>(Object.entries(metrics));
    return proc.table('net/xfrm_stat', (lines, out) => {
      const named = new Set<string>();
      lines.each((line) => {
        const name = line.word(0);
        named.add(name);
        if (line.length !== 2) throw line.fault();
        const family = families.get(name);
        if (family === undefined) out.passedOver(name);
        else out.sample(family, line.number(1));
      });
      // What this kernel does not count did not happen.
      for (const [name, family] of families) if (!named.has(name)) out.sample(family, 0);
    });
  },
});
